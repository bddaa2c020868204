"""Addresses and names: what may be mailed, and when two are the same person.

RFC 5321 lets a host tell `Ann@` from `ann@`, so the spelling is kept for RCPT TO and
folded only for comparison; dots and +tags are the host's business and never folded.
Domains are kept in IDNA A-labels (RFC 5891), U-labels are for showing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from subscribers.errors import InvalidAddress

MAX_ADDRESS = 254
"""Octets of an address (RFC 5321 §4.5.3.1.3: a path of 256 with its brackets)."""

MAX_NAME = 200
"""Characters of a name."""

_MAX_LOCAL_OCTETS = 64  # RFC 5321 §4.5.3.1.1; octets, not characters
_SHOWN = 60

# Direction embeddings, overrides and isolates can make a name show as another text;
# U+FEFF is invisible; surrogates cannot be encoded.
_INVISIBLE = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Address:
    """An address that passed the rules.

    Attributes:
        address: As the person wrote it, the domain in lower-case A-labels.
        key: `address` case-folded: equal keys are the same person.
    """

    address: str
    key: str


def parse_address(text: str) -> Address:
    """The address in `text` (surrounding white space is allowed).

    Refused: literals, quoted local parts, control characters, names of reserved
    domains, parts beyond 64 or 254 octets. Raises InvalidAddress.
    """
    text = text.strip()
    try:
        checked = _checked(text)
    except EmailNotValidError as error:
        raise InvalidAddress(_refusal(text, reason=str(error))) from None
    local, domain = checked.local_part, str(checked.ascii_domain)
    address = f"{local}@{domain}"
    key = address.casefold()
    # Folding can lengthen a text; the key has to fit as well.
    if (
        len(local.encode()) > _MAX_LOCAL_OCTETS
        or max(len(address.encode()), len(key)) > MAX_ADDRESS
    ):
        raise InvalidAddress(_refusal(text, reason="It is too long."))
    return Address(address=address, key=key)


def _checked(text: str) -> ValidatedEmail:
    # `.test` can never leave the house, so that rehearsals may use it.
    return validate_email(text, check_deliverability=False, test_environment=True)


def _refusal(text: str, *, reason: str) -> str:
    if not text:
        return "the address is empty"
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return f"{shown!r} is not an address that can be mailed: {reason.rstrip('.')}"


def display_address(address: str) -> str:
    """`address` with its domain in U-labels, for people to read; never for mailing."""
    try:
        return _checked(address).normalized
    except EmailNotValidError:
        return address


def clean_name(text: str) -> str:
    """`text` as one line that is safe to show and to put in a header.

    Control characters and line breaks become a space, white space of any kind
    becomes one space, marks that turn the writing direction go, and the rest is cut
    at 200 characters. Cleaning twice is the same as once.
    """
    visible = _INVISIBLE.sub("", _CONTROL.sub(" ", text))
    return " ".join(visible.split())[:MAX_NAME].rstrip()
