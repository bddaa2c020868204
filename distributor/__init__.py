"""Multi-channel newsletter distribution: render once, deliver, account for all."""
