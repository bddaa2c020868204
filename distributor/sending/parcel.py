"""What is handed to a session, and how it becomes bytes: envelope, text, final dot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from distributor.envelope import is_mailable
from distributor.reply import Kind, Outcome, Reply, Stage
from distributor.sending.relay import Offers
from distributor.sending.wire import END, on_wire

_BAD_ADDRESS = "the address cannot be written as an SMTP recipient"
_BAD_SENDER = "the return path cannot be written as an SMTP sender"
_NO_UTF8 = "the relay does not offer SMTPUTF8, which this address needs"


@dataclass(slots=True)
class Parcel:
    """One attempt to hand over one message.

    Attributes:
        mail_from: Return path, without angle brackets.
        recipient: The address for RCPT, its domain as A-labels.
        message: Makes the message's bytes; called just before they are needed.
        needs_smtputf8: The local part is not ASCII (RFC 6531).
    """

    delivery_id: int
    attempt: int
    mail_from: str
    recipient: str
    message: Callable[[], bytes]
    needs_smtputf8: bool = False


@dataclass(slots=True)
class Ready:
    """A parcel in bytes.

    Attributes:
        body: The message and its final dot.
        commands: MAIL, RCPT and DATA, each with its CRLF.
    """

    parcel: Parcel
    body: bytes
    commands: tuple[bytes, bytes, bytes]


def prepare(parcel: Parcel, offers: Offers) -> Ready | Outcome:
    """The parcel in bytes, or its outcome if this server can never take it."""
    if not is_mailable(parcel.recipient):
        return _unfit(Kind.REJECTED, Stage.RCPT, Reply(501, "5.1.3", _BAD_ADDRESS))
    utf8 = parcel.needs_smtputf8 or not parcel.recipient.isascii()
    if utf8 and not offers.smtputf8:
        return _unfit(Kind.REJECTED, Stage.MAIL, Reply(550, "5.6.7", _NO_UTF8))
    if not (parcel.mail_from.isascii() and is_mailable(parcel.mail_from)):
        return _unfit(Kind.TROUBLE, Stage.MAIL, Reply(501, "5.1.7", _BAD_SENDER))
    try:
        message = on_wire(parcel.message())
    except Exception as error:  # noqa: BLE001  (one letter must not end all others)
        why = f"the message cannot be composed: {error!r}"
        return Outcome(Kind.TROUBLE, Stage.MAIL, None, "", why)
    limit = offers.size_limit
    if limit and len(message) > limit:
        text = f"the message has {len(message)} octets, the relay takes {limit}"
        return _unfit(Kind.TROUBLE, Stage.MAIL, Reply(552, "5.3.4", text))
    commands = _commands(parcel, offers, size=len(message), utf8=utf8)
    return Ready(parcel, message + END, commands)


def _commands(
    parcel: Parcel, offers: Offers, *, size: int, utf8: bool
) -> tuple[bytes, bytes, bytes]:
    mail = f"MAIL FROM:<{parcel.mail_from}>"
    rcpt = f"RCPT TO:<{parcel.recipient}>"
    if offers.size_limit is not None:
        mail += f" SIZE={size}"
    if utf8:
        mail += " BODY=8BITMIME SMTPUTF8"
    if offers.dsn:
        mail += f" RET=HDRS ENVID={parcel.delivery_id}"
        rcpt += " NOTIFY=FAILURE,DELAY"
        if parcel.recipient.isascii():
            rcpt += f" ORCPT=rfc822;{_xtext(parcel.recipient)}"
    return f"{mail}\r\n".encode(), f"{rcpt}\r\n".encode(), b"DATA\r\n"


def _unfit(kind: Kind, stage: Stage, reply: Reply) -> Outcome:
    """An outcome of our own, in a server's words; nothing was sent."""
    return Outcome(kind, stage, reply, "", reply.text)


def _xtext(address: str) -> str:
    """RFC 3461 §4, of printable ASCII."""
    return address.replace("+", "+2B").replace("=", "+3D")
