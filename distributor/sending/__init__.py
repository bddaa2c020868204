"""From an audience to outcomes: fan-out, drain, compose, SMTP, journal."""
