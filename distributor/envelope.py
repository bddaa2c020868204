"""Who a delivery is on the wire: return path (VERP) and Message-ID, and the way back.

Both are sealed from the delivery's id alone, so every attempt carries the same ones and
no row has to remember them. The Message-ID is public, so its token never opens as a
return path: whoever quotes a message cannot forge its bounces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from subscribers import InvalidToken, Keyring, Purpose

# Nothing that could end a command or an angle bracket; no quoted local parts, no
# address literals (`subscribers` takes none either).
_ADDRESS = re.compile(
    r"[^\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff<>()\[\],;:\\\"@]{1,64}"
    r"@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
)
# BATV (prvs=1234abcdef=local), which some relays leave on addresses they return.
_BATV = re.compile(r"prvs=[0-9a-z]+=", re.IGNORECASE)
_PREFIX = "bounce+"  # the form that greylisters' rules against VERP know


def is_mailable(address: str) -> bool:
    """Whether `address` may stand in MAIL, RCPT and header fields as it is."""
    return _ADDRESS.fullmatch(address) is not None


def needs_smtputf8(address: str) -> bool:
    """Whether mail to `address` needs RFC 6531: its local part is not ASCII."""
    return not address.rpartition("@")[0].isascii()


@dataclass(frozen=True, slots=True)
class Identity:
    """Derives a delivery's names.

    Attributes:
        bounce_domain: Where return paths end.
        domain: The visible sender's domain, where Message-IDs end.
    """

    keyring: Keyring
    bounce_domain: str
    domain: str

    def return_path(self, delivery_id: int) -> str:
        """`bounce+<token>@<bounce domain>`; 56 octets before the @ (64 allowed)."""
        token = self.keyring.seal(
            Purpose.RETURN_PATH, delivery_id, context=self.bounce_domain
        )
        return f"{_PREFIX}{token}@{self.bounce_domain}"

    def message_id(self, delivery_id: int) -> str:
        """`<token@domain>`, with its angle brackets (RFC 5322 §3.6.4)."""
        token = self.keyring.seal(
            Purpose.RETURN_PATH, delivery_id, context=f"message-id {self.domain}"
        )
        return f"<{token}@{self.domain}>"

    def delivery_of(self, return_path: str) -> int | None:
        """The delivery a return path belongs to; None if it is none of ours.

        Upper and lower case are the same, angle brackets and BATV are taken off.
        """
        local, _, domain = return_path.strip("<> \t").rpartition("@")
        local = _BATV.sub("", local, count=1)
        if domain.lower() != self.bounce_domain.lower():
            return None
        if local[: len(_PREFIX)].lower() != _PREFIX:
            return None
        return self._opened(local[len(_PREFIX) :], self.bounce_domain)

    def delivery_of_message(self, message_id: str) -> int | None:
        """The delivery a Message-ID belongs to; None if it is none of ours."""
        token, _, domain = message_id.strip("<> \t").rpartition("@")
        if domain.lower() != self.domain.lower():
            return None
        return self._opened(token, f"message-id {self.domain}")

    def _opened(self, token: str, context: str) -> int | None:
        try:
            numbers = self.keyring.open(Purpose.RETURN_PATH, token, context=context)
        except InvalidToken:
            return None
        return numbers[0] if len(numbers) == 1 else None
