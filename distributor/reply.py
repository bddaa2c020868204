"""SMTP replies as values: reading them off the wire, and what each one means.

The stage decides, not the code alone (RFC 5321 §4.2, RFC 1047): a connection lost
before the final dot has harmed nobody, lost after it the message may have been
accepted; a 5xx to MAIL concerns us, a 5xx to RCPT concerns the recipient. `judge` is
that table. Nothing here does I/O; nothing a server says raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

TEXT_LIMIT = 500
"""Most characters of a reply's text that are kept."""

LINE_LIMIT = 8192
"""Most octets of one reply line; RFC 5321 §4.5.3.1.5 asks for 512."""

LINES_LIMIT = 100
"""Most lines of one reply."""


class Stage(StrEnum):
    """What the server was answering."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"  # the final dot: from here on the message may have been accepted
    QUIT = "quit"


class Kind(StrEnum):
    """What an attempt came to."""

    ACCEPTED = "accepted"  # 250 after the final dot
    DEFERRED = "deferred"  # transient: again later
    REJECTED = "rejected"  # permanent for this recipient or message
    IN_DOUBT = "in_doubt"  # dot written, answer unknown
    RELEASED = "released"  # never reached the recipient: pending, untouched
    TROUBLE = "trouble"  # our own fault: the send waits, nobody is marked failed


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete reply.

    Attributes:
        code: 200 to 599.
        enhanced: RFC 3463 code such as "5.1.1", or "".
        text: The rest on one line; control characters escaped, `TEXT_LIMIT` at most.
    """

    code: int
    enhanced: str
    text: str

    def __str__(self) -> str:
        """`550 5.1.1 no such user`."""
        return " ".join(
            part for part in (str(self.code), self.enhanced, self.text) if part
        )


@dataclass(frozen=True, slots=True)
class Garbage:
    """Something that is no SMTP reply; the connection cannot be trusted any more."""

    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Our reading of how an attempt ended.

    Attributes:
        kind: What becomes of the delivery.
        stage: How far the attempt got.
        reply: What the server said, or None if it said nothing (usable).
        host: Who said it; "" where we decided by ourselves.
        detail: One sentence for staff; "" where the reply says it all.
    """

    kind: Kind
    stage: Stage
    reply: Reply | None
    host: str
    detail: str = ""

    @property
    def connection_level(self) -> bool:
        """421: the server is closing; it says nothing about the recipient."""
        return self.reply is not None and self.reply.code == 421


# --- Reading ---------------------------------------------------------------------

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[ \t]+|$)")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(text: str, *, limit: int = TEXT_LIMIT) -> str:
    """`text` fit for a log line or a table cell: no control characters, capped."""
    return _CONTROL.sub(_shown, text[:limit])[:limit]


def _shown(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def _decoded(raw: bytes) -> str:
    return one_line(raw[:TEXT_LIMIT].decode("utf-8", "backslashreplace").strip())


def _reply(lines: list[bytes]) -> Reply | Garbage:
    """A reply from its lines without line ends; the last line's code counts."""
    enhanced, texts, code = "", [], 0
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            return Garbage(_decoded(line))
        code = int(found[1])
        text = _decoded(found[3] or b"")
        prefix = _ENHANCED.match(text)
        if prefix:
            enhanced = enhanced or prefix[1]
            text = text[prefix.end() :]
        texts.append(text)
    return Reply(code, enhanced, " ".join(filter(None, texts))[:TEXT_LIMIT])


@lru_cache(maxsize=512)
def _short_reply(line: bytes) -> Reply | Garbage:
    """The same few replies come thousands of times a second."""
    return _reply([line])


class ReplyReader:
    """Puts replies together from whatever pieces the network delivers."""

    __slots__ = ("_broken", "_lines", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._broken = False

    @property
    def partial(self) -> bool:
        """Whether the beginning of another reply has been read."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> list[Reply | Garbage]:
        """The replies that `data` completes, in order.

        A `Garbage` is the last thing ever returned: after it nothing can be told
        apart any more, and further input is ignored.
        """
        found: list[Reply | Garbage] = []
        if self._broken:
            return found
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            reply = self._add(line)
            if reply is None:
                continue
            found.append(reply)
            if isinstance(reply, Garbage):
                return found
        if len(self._rest) > LINE_LIMIT:
            found.append(self._break(Garbage("a reply line without end")))
        return found

    def _add(self, line: bytes) -> Reply | Garbage | None:
        line = line.removesuffix(b"\r")
        if len(line) > LINE_LIMIT or len(self._lines) >= LINES_LIMIT:
            return self._break(Garbage("a reply without end"))
        if line[3:4] == b"-" and _LINE.fullmatch(line):
            self._lines.append(line)
            return None
        reply = self._complete(line)
        return self._break(reply) if isinstance(reply, Garbage) else reply

    def _complete(self, line: bytes) -> Reply | Garbage:
        if self._lines:
            lines, self._lines = [*self._lines, line], []
            return _reply(lines)
        return _short_reply(line) if len(line) <= 128 else _reply([line])

    def _break(self, garbage: Garbage) -> Garbage:
        self._broken, self._rest, self._lines = True, b"", []
        return garbage


# --- Judging ---------------------------------------------------------------------

_OUR_CODES = frozenset({530, 534, 535, 538})  # RFC 4954 §6: authentication
_RELAY_DENIED = re.compile(
    r"\brelay(ing)?( access)? (is )?(denied|not |prohibited)", re.IGNORECASE
)
# Postfix quoting somebody else's answer.
_QUOTED_REPLY = re.compile(r"\bsaid:", re.IGNORECASE)
_TOO_BIG = re.compile(r"\b(too (big|large)|size|length)\b", re.IGNORECASE)
_FULL = re.compile(r"\b(full|quota|storage)\b", re.IGNORECASE)

_BEFORE_MAIL = frozenset({Stage.CONNECT, Stage.EHLO, Stage.STARTTLS, Stage.AUTH})


def goes_ahead(stage: Stage, reply: Reply) -> bool:
    """Whether the server lets us take the next step."""
    return reply.code == 354 if stage is Stage.DATA else 200 <= reply.code < 300


def judge(
    stage: Stage, reply: Reply | None, *, host: str = "", detail: str = ""
) -> Outcome:
    """What it means for the delivery that the attempt ended at `stage` with `reply`.

    None stands for a lost connection, a timeout and garbage alike. A reply that lets
    us go ahead, or a 3xx out of place, ends an attempt only when the server is out of
    step: then we know as little as without any.
    """
    kind = _silence(stage) if reply is None else _answer(stage, reply)
    return Outcome(kind, stage, reply, host, detail)


def _silence(stage: Stage) -> Kind:
    if stage is Stage.DOT:
        return Kind.IN_DOUBT
    return Kind.ACCEPTED if stage is Stage.QUIT else Kind.RELEASED


def _answer(stage: Stage, reply: Reply) -> Kind:
    if stage is Stage.DOT and reply.code < 300:
        return Kind.ACCEPTED
    if stage is Stage.QUIT or reply.code < 400:
        return _silence(stage)
    if stage in _BEFORE_MAIL:
        # No recipient has been named yet: a 4xx hands everything back as it was.
        return Kind.RELEASED if reply.code < 500 else Kind.TROUBLE
    if reply.code < 500:
        return Kind.DEFERRED
    if stage is Stage.MAIL:
        return Kind.REJECTED if reply.enhanced == "5.6.7" else Kind.TROUBLE
    return _permanent(stage, reply)


def _permanent(stage: Stage, reply: Reply) -> Kind:
    """A 5xx to RCPT, DATA or the dot."""
    if reply.code in _OUR_CODES or reply.enhanced == "5.5.1":
        return Kind.TROUBLE
    if stage is Stage.RCPT and _denies_relaying(reply):
        return Kind.TROUBLE
    if reply.code == 552 and _passes(stage, reply):
        return Kind.DEFERRED
    return Kind.REJECTED


def _denies_relaying(reply: Reply) -> bool:
    """The relay does not know us: no recipient is to blame for that."""
    if _QUOTED_REPLY.search(reply.text):
        return False
    return bool(_RELAY_DENIED.search(reply.text))


def _passes(stage: Stage, reply: Reply) -> bool:
    """Whether a 552 is one of the transient ones (RFC 5321 §4.5.3.1.10).

    At RCPT it means too many recipients or a full mailbox unless it says too big;
    later it means policy or size unless it says that the mailbox is full.
    """
    too_big = reply.enhanced in {"5.3.4", "5.2.3"} or bool(_TOO_BIG.search(reply.text))
    if stage is Stage.RCPT:
        return not too_big
    if reply.enhanced:
        return reply.enhanced.startswith("4.") or reply.enhanced == "5.2.2"
    return bool(_FULL.search(reply.text)) and not too_big


# --- Reasons ---------------------------------------------------------------------

_REASONS = {
    "1.0": "unknown_user",
    "1.1": "unknown_user",
    "1.2": "bad_domain",
    "1.3": "bad_address",
    "1.6": "unknown_user",
    "1.7": "refused_sender",
    "1.8": "refused_sender",
    "1.10": "bad_domain",
    "2.0": "mailbox_unavailable",
    "2.1": "mailbox_disabled",
    "2.2": "mailbox_full",
    "2.3": "too_big",
    "3.4": "too_big",
    "5.3": "too_many_recipients",
    "6.7": "needs_smtputf8",
}
_SUBJECTS = {"3": "mail_system", "4": "network", "5": "protocol", "7": "policy"}


def reason(reply: Reply) -> str:
    """One word for why, by the enhanced code alone (RFC 3463); "" for a success."""
    if reply.code < 400:
        return ""
    _, _, rest = reply.enhanced.partition(".")
    if rest in _REASONS:
        return _REASONS[rest]
    return _SUBJECTS.get(rest.partition(".")[0], "other")
