"""The relay we hand mail to: where it is, and the way to a session ready for mail.

Connecting, TLS and authentication are aiosmtplib's; what it returns here is the bare
transport, on which `session` drives the transactions.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from distributor.errors import ConfigError, RelayError
from distributor.reply import one_line

SETTING = "DISTRIBUTOR_SMTP_URL"

_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
_FORM = (
    "write it as smtp://host:25, smtps://user:password@host or "
    "smtp+starttls://user:password@host:587 (special characters percent-encoded)"
)


@dataclass(frozen=True, slots=True)
class RelayUrl:
    """Where the relay is and how to talk to it.

    Attributes:
        security: "smtp" (clear text), "smtp+starttls" or "smtps".
        verify: Whether its certificate must be valid.
        cafile: File of certificates to trust instead of the system's, or "".
    """

    host: str
    port: int
    security: str = "smtp"
    user: str = ""
    password: str = field(default="", repr=False)
    verify: bool = True
    cafile: str = ""

    @classmethod
    def parse(cls, text: str) -> RelayUrl:
        """Reads `smtp+starttls://user:pass@host:587?verify=no&cafile=PATH`.

        Raises:
            ConfigError: It names the setting, never the password.
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise _unusable("the port must be a number up to 65535") from None
        if parts.scheme not in _PORTS:
            raise _unusable(f"{parts.scheme or 'nothing'}:// is not a kind of relay")
        if not parts.hostname:
            raise _unusable("the host is missing")
        if parts.path.strip("/") or parts.fragment:
            raise _unusable("there is something behind the host")
        verify, cafile = _options(parts.query)
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            security=parts.scheme,
            user=_decoded(parts.username),
            password=_decoded(parts.password),
            verify=verify,
            cafile=cafile,
        )

    def __str__(self) -> str:
        """`host:port`, as shown to people."""
        return f"{self.host}:{self.port}"

    def tls_context(self) -> ssl.SSLContext | None:
        """A new TLS context, None for clear text; reads files, so never in a loop.

        Raises:
            RelayError: `cafile` cannot be read.
        """
        if self.security == "smtp":
            return None
        try:
            context = ssl.create_default_context(cafile=self.cafile or None)
        except OSError as error:
            raise RelayError(
                f"{SETTING}: cafile {self.cafile} cannot be read as certificates: "
                f"{error.strerror or error}",
                "untrusted",
            ) from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _unusable(why: str) -> ConfigError:
    return ConfigError(f"{SETTING}: {why}; {_FORM}")


def _decoded(part: str | None) -> str:
    text = unquote(part or "")
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise _unusable("user and password must not hold control characters")
    return text


def _options(query: str) -> tuple[bool, str]:
    given = parse_qs(query, keep_blank_values=True)
    unknown = given.keys() - {"verify", "cafile"}
    if unknown:
        raise _unusable(f"unknown option {min(unknown)}")
    verify = given.get("verify", ["yes"])[-1]
    if verify not in {"yes", "no"}:
        raise _unusable("verify must be yes or no")
    return verify == "yes", given.get("cafile", [""])[-1]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds (RFC 5321 §4.5.3.2).

    Attributes:
        step_s: For the connection and for every reply but the next one.
        dot_s: For the reply to the final dot; a short one makes duplicates.
        quit_s: For the reply to QUIT, which nobody needs.
        backoff_s: Pauses before connecting again; when they are used up and no
            session is left, the relay counts as gone.
    """

    step_s: float = 60.0
    dot_s: float = 600.0
    quit_s: float = 5.0
    backoff_s: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Offers:
    """What the server said it can do.

    Attributes:
        size_limit: Octets (RFC 1870); 0 = no limit known, None = not offered.
    """

    pipelining: bool = False
    smtputf8: bool = False
    dsn: bool = False
    size_limit: int | None = None

    @classmethod
    def read(cls, extensions: dict[str, str]) -> Offers:
        """From the EHLO keywords (lower case) and their parameters."""
        size = extensions.get("size")
        return cls(
            pipelining="pipelining" in extensions,
            smtputf8="smtputf8" in extensions,
            dsn="dsn" in extensions,
            size_limit=None if size is None else int(size) if size.isdigit() else 0,
        )


async def connect(
    relay: RelayUrl,
    *,
    ehlo_name: str,
    timeouts: Timeouts,
    context: ssl.SSLContext | None,
) -> tuple[asyncio.Transport, Offers]:
    """A connection past EHLO, STARTTLS and AUTH, with nothing outstanding.

    Raises:
        RelayError: With what was answered and what to do about it.
    """
    client = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        local_hostname=ehlo_name,
        timeout=timeouts.step_s,
        use_tls=relay.security == "smtps",
        start_tls=relay.security == "smtp+starttls",
        tls_context=context,
    )
    try:
        await client.connect()
        await _greet(client)
        if relay.user:
            await client.login(relay.user, relay.password)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        client.close()
        raise _explained(relay, error) from error
    transport = client.transport
    if not isinstance(transport, asyncio.Transport):  # it hung up this very moment
        raise _explained(relay, ConnectionResetError("connection lost"))
    return transport, Offers.read(client.esmtp_extensions)


async def _greet(client: aiosmtplib.SMTP) -> None:
    """Says EHLO (again, after STARTTLS: RFC 3207 §4.2), HELO to who knows no better."""
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError as error:
        if error.code < 500 or not client.is_connected:
            raise
        await client.helo()


def _explained(relay: RelayUrl, error: Exception) -> RelayError:
    """The sentence for a person: who, what was answered, what to do."""
    said = one_line(_said(error), limit=300)
    if _of_tls(error):
        return RelayError(
            f"the certificate of the SMTP relay {relay} is not trusted ({said}): put "
            f"it right, or name its certificate with ?cafile= in {SETTING}",
            "untrusted",
        )
    if _of_login(error):
        return RelayError(
            f"the SMTP relay {relay} refused the login of {relay.user} ({said}): "
            f"check user and password in {SETTING}",
            "refused_login",
        )
    code = getattr(error, "code", 0)
    if code >= 500 or type(error) is aiosmtplib.SMTPException:
        return RelayError(
            f"the SMTP relay {relay} refuses to talk to us ({said}): check that "
            f"{SETTING} names the right relay and that it accepts this host",
            "refused",
        )
    return RelayError(
        f"the SMTP relay {relay} cannot be used at present ({said}): check that it "
        f"runs and that {SETTING} is right"
    )


def _said(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {error.message}"
    return str(error) or type(error).__name__


def _of_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _of_login(error: Exception) -> bool:
    """A 4xx to AUTH is the server's trouble, not a wrong password."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return error.code >= 500
    return "AUTH extension" in str(error) or "authentication method" in str(error)
