"""Tokens in links and return paths: numbers that only we can have written.

A token is one character that names the key and the hex of AES-SIV (RFC 5297) over
the numbers, with purpose and context as associated data. It is deterministic, so
that every attempt of a delivery carries the same bytes; it hides the numbers; and a
token of one purpose never opens as another. Hex, because relays change case.
"""

from __future__ import annotations

import hmac
import re
import struct
from collections.abc import Callable, Sequence
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from subscribers.errors import InvalidKeys, InvalidToken

KEY_BYTES = 32
MAX_NUMBERS = 8

_KEY_ID = re.compile(r"[0-9a-z]")
# Key id, 16 bytes of tag, and 1 to 8 numbers of 8 bytes.
_TOKEN = re.compile(r"[0-9a-zA-Z](?:[0-9a-fA-F]{16}){3,10}")
_MAX_KNOWN_DATA = 1024
_PACK = {n: struct.Struct(f">{n}q").pack for n in range(1, MAX_NUMBERS + 1)}


class Purpose(StrEnum):
    """What a token may be used for; it is worth nothing for anything else."""

    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    RETURN_PATH = "return-path"
    CONFIRM = "confirm"


class Keyring:
    """The keys of all tokens: the first one seals, every one opens.

    Links must work for years, so an old key stays in the ring behind the new one.
    """

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """`keys` are (key id of one character 0-9 a-z, 32 bytes); raises InvalidKeys.

        Key ids are told apart, so none may come twice.
        """
        _check_keys(keys)
        self._keys = tuple((key_id, bytes(key)) for key_id, key in keys)
        self._ciphers = {key_id: AESSIV(key) for key_id, key in self._keys}
        self._current = self._keys[0][0]
        self._encrypt = self._ciphers[self._current].encrypt
        # Associated data per purpose and context: made once, used per message.
        self._known_data: dict[tuple[Purpose, str], list[bytes]] = {}

    def __repr__(self) -> str:
        """Key ids only."""
        return f"Keyring({', '.join(key_id for key_id, _ in self._keys)})"

    def __reduce__(
        self,
    ) -> tuple[type[Keyring], tuple[tuple[tuple[str, bytes], ...]]]:
        """Pickle the keys, not the ciphers made of them."""
        return type(self), (self._keys,)

    def seal(self, purpose: Purpose, *numbers: int, context: str = "") -> str:
        """The token of 1 to 8 `numbers` (signed, 64 bits); one number: 49 characters.

        `context` is bound, not carried: whoever opens has to know it.
        """
        pack = _PACK.get(len(numbers))
        if pack is None:
            raise ValueError(f"a token carries 1 to 8 numbers, not {len(numbers)}")
        data = self._known_data.get((purpose, context))
        if data is None:
            data = self._associated_data(purpose, context)
        return self._current + self._encrypt(pack(*numbers), data).hex()

    def open(
        self, purpose: Purpose, token: str, *, context: str = ""
    ) -> tuple[int, ...]:
        """The numbers in `token`; upper and lower case are the same.

        Raises InvalidToken, in the same words whatever was wrong.
        """
        if not _TOKEN.fullmatch(token):
            raise InvalidToken
        token = token.lower()
        cipher = self._ciphers.get(token[0])
        if cipher is None:
            raise InvalidToken
        try:
            payload = cipher.decrypt(
                bytes.fromhex(token[1:]), self._associated_data(purpose, context)
            )
        except InvalidTag:
            raise InvalidToken from None
        return struct.unpack(f">{len(payload) // 8}q", payload)

    def _associated_data(self, purpose: Purpose, context: str) -> list[bytes]:
        data = [f"{purpose}|{context}".encode()]
        if len(self._known_data) < _MAX_KNOWN_DATA:
            self._known_data[purpose, context] = data
        return data


def _check_keys(keys: Sequence[tuple[str, bytes]]) -> None:
    if not keys:
        raise InvalidKeys("no key was given: tokens need at least one")
    names = [key_id for key_id, _ in keys]
    for key_id, key in keys:
        if not _KEY_ID.fullmatch(key_id):
            raise InvalidKeys(f"key id {key_id!r} must be one character, 0-9 or a-z")
        if len(key) != KEY_BYTES:
            raise InvalidKeys(
                f"key {key_id} must have {KEY_BYTES} bytes, not {len(key)}"
            )
    if len(set(names)) < len(names):
        raise InvalidKeys(f"two keys share an id: {', '.join(names)}")


def generate_key(token_bytes: Callable[[int], bytes]) -> bytes:
    """A new key of 32 bytes; `token_bytes` is `secrets.token_bytes`."""
    return token_bytes(KEY_BYTES)


def address_hash(pepper: bytes, address_key: str) -> str:
    """HMAC-SHA256 of an address key in hex: what survives a person's erasure."""
    return hmac.digest(pepper, address_key.encode(), "sha256").hex()
