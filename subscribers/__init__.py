"""People: addresses, lists, subscriptions, consent, suppression, tokens.

This is the front door: everything the rest of the product may use is named here.
"""

from __future__ import annotations

from subscribers.addresses import (
    Address,
    clean_name,
    display_address,
    parse_address,
)
from subscribers.audience import Exclusion, candidates, still_subscribed, why_not
from subscribers.errors import (
    ImportRefused,
    InvalidAddress,
    InvalidCsv,
    InvalidKeys,
    InvalidList,
    InvalidToken,
    SubscribersError,
    UnknownList,
    UnknownSubscriber,
)
from subscribers.exporting import export_csv
from subscribers.importing import ImportReport, ImportRequest, import_csv
from subscribers.lists import List, ListCounts, add_list, all_lists, get_list
from subscribers.people import (
    Consent,
    Joined,
    Method,
    Person,
    State,
    Story,
    Subscriber,
    Subscription,
    Via,
    confirm,
    find_subscriber,
    get_subscription,
    resubscribe,
    story,
    subscribe,
    subscriptions_of,
    unsubscribe,
)
from subscribers.roster import Refusal
from subscribers.spreadsheet import csv_line
from subscribers.suppression import (
    Grounds,
    Suppression,
    active_suppressions,
    is_suppressed,
    lift,
    suppress,
    suppressions_of,
)
from subscribers.tables import BigId, UTCDateTime, metadata
from subscribers.tokens import Keyring, Purpose, address_hash, generate_key

__all__ = [
    "Address",
    "BigId",
    "Consent",
    "Exclusion",
    "Grounds",
    "ImportRefused",
    "ImportReport",
    "ImportRequest",
    "InvalidAddress",
    "InvalidCsv",
    "InvalidKeys",
    "InvalidList",
    "InvalidToken",
    "Joined",
    "Keyring",
    "List",
    "ListCounts",
    "Method",
    "Person",
    "Purpose",
    "Refusal",
    "State",
    "Story",
    "Subscriber",
    "SubscribersError",
    "Subscription",
    "Suppression",
    "UTCDateTime",
    "UnknownList",
    "UnknownSubscriber",
    "Via",
    "active_suppressions",
    "add_list",
    "address_hash",
    "all_lists",
    "candidates",
    "clean_name",
    "confirm",
    "csv_line",
    "display_address",
    "export_csv",
    "find_subscriber",
    "generate_key",
    "get_list",
    "get_subscription",
    "import_csv",
    "is_suppressed",
    "lift",
    "metadata",
    "parse_address",
    "resubscribe",
    "still_subscribed",
    "story",
    "subscribe",
    "subscriptions_of",
    "suppress",
    "suppressions_of",
    "unsubscribe",
    "why_not",
]
