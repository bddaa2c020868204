"""People: addresses, lists, subscriptions, consent, suppression, tokens."""
