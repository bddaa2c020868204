"""People: addresses, lists, subscriptions, consent, suppression, tokens.

This is the front door: everything the rest of the product may use is named here.
"""

from __future__ import annotations

from subscribers.tables import BigId, UTCDateTime, metadata

__all__ = ["BigId", "UTCDateTime", "metadata"]
