"""The way to the relay: its URL, TLS and login, against a real server (aiosmtpd)."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import datetime
import ipaddress
import pickle
import ssl

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from distributor.errors import ConfigError, RelayError
from distributor.reply import Kind
from distributor.sending.relay import Offers, RelayUrl

USER, PASSWORD = "news@example.org", "p@ss:wörd/ %"
LOGIN = "news%40example.org:p%40ss%3Aw%C3%B6rd%2F%20%25"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """File with key and self-signed certificate of 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relay")])
    start = datetime.datetime(2020, 1, 1)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "relay.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Handler:
    def __init__(self):
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.envelopes.append(copy.copy(envelope))
        return "250 2.0.0 kept"


def check_login(server, session, envelope, mechanism, data):
    good = data.login == USER.encode() and data.password == PASSWORD.encode()
    return AuthResult(success=good, handled=good)


@contextlib.asynccontextmanager
async def real_server(certificate=None, *, implicit=False, login=False):
    """(handler, port) of aiosmtpd with STARTTLS, or TLS from the start."""
    handler = Handler()
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(
            handler,
            hostname="relay.example",
            enable_SMTPUTF8=True,
            tls_context=None if implicit else context,
            require_starttls=bool(context) and not implicit,
            auth_required=login,
            authenticator=check_login if login else None,
            loop=loop,
        ),
        "127.0.0.1",
        0,
        ssl=context if implicit else None,
    )
    try:
        yield handler, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)


def deliver(sender, url, parcels=3, **server):
    """The books and the server's handler; `url` has {port} in it."""

    async def go():
        async with real_server(**server) as (handler, port):
            return await sender.send(url.format(port=port), parcels), handler

    return asyncio.run(go())


def refusal(sender, url, **server):
    async def go():
        async with real_server(**server) as (_handler, port):
            with pytest.raises(RelayError) as caught:
                await sender.pool(url.format(port=port)).open()
            return caught.value

    return asyncio.run(go())


def test_a_real_server_gets_every_message_octet_for_octet(sender, text_of):
    books, handler = deliver(sender, "smtp://127.0.0.1:{port}", 20)
    assert len(books.of(Kind.ACCEPTED)) == 20
    got = {
        (one.mail_from, *one.rcpt_tos): one.original_content
        for one in handler.envelopes
    }
    assert got == {
        (f"bounce+{n}@bounces.example.org", f"reader{n}@example.org"): text_of(n)
        for n in range(1, 21)
    }


def test_a_real_server_gets_smtputf8_where_it_is_needed(sender, parcel):
    parcels = [parcel(1, recipient="jörg@example.org", needs_smtputf8=True)]
    books, handler = deliver(sender, "smtp://127.0.0.1:{port}", parcels)
    assert books.of(Kind.ACCEPTED) == [1]
    assert handler.envelopes[0].rcpt_tos == ["jörg@example.org"]
    assert handler.envelopes[0].smtp_utf8


@pytest.mark.parametrize("implicit", [True, False], ids=["smtps", "starttls"])
@pytest.mark.parametrize("trust", ["verify=no", "cafile={file}"])
def test_messages_go_through_tls(sender, certificate, implicit, trust, text_of):
    scheme = "smtps" if implicit else "smtp+starttls"
    url = f"{scheme}://127.0.0.1:{{port}}?" + trust.format(file=certificate)
    books, handler = deliver(
        sender, url, 30, certificate=certificate, implicit=implicit
    )
    assert len(books.of(Kind.ACCEPTED)) == 30
    assert {one.original_content for one in handler.envelopes} == {
        text_of(number) for number in range(1, 31)
    }


@pytest.mark.parametrize("implicit", [True, False], ids=["smtps", "starttls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    sender, certificate, implicit
):
    scheme = "smtps" if implicit else "smtp+starttls"
    error = refusal(
        sender,
        f"{scheme}://127.0.0.1:{{port}}",
        certificate=certificate,
        implicit=implicit,
    )
    assert error.kind == "untrusted"
    assert "certificate" in str(error)


def test_starttls_is_never_done_without(sender):
    error = refusal(sender, "smtp+starttls://127.0.0.1:{port}")
    assert error.kind == "refused"
    assert "STARTTLS" in str(error)


def test_a_login_is_used(sender, certificate):
    url = f"smtp+starttls://{LOGIN}@127.0.0.1:{{port}}?cafile={certificate}"
    books, _ = deliver(sender, url, certificate=certificate, login=True)
    assert len(books.of(Kind.ACCEPTED)) == 3


def test_a_wrong_password_is_told_from_a_relay_that_is_down(sender, certificate):
    url = "smtp+starttls://news%40example.org:secret-word@127.0.0.1:{port}?verify=no"
    error = refusal(sender, url, certificate=certificate, login=True)
    assert error.kind == "refused_login"
    assert USER in str(error)
    assert "535" in str(error)
    assert "secret-word" not in str(error)


def test_a_relay_without_logins_refuses_ours(sender):
    error = refusal(sender, f"smtp://{LOGIN}@127.0.0.1:{{port}}")
    assert error.kind == "refused_login"


def test_no_login_where_one_is_needed_is_trouble_and_nobody_fails(sender, certificate):
    url = "smtp+starttls://127.0.0.1:{port}?verify=no"
    books, handler = deliver(sender, url, certificate=certificate, login=True)
    assert set(books.kinds().values()) == {Kind.TROUBLE}
    assert handler.envelopes == []


def test_nobody_listening_is_said(sender):
    async def go():
        async with real_server() as (_handler, port):
            pass
        with pytest.raises(RelayError) as caught:
            await sender.pool(f"smtp://127.0.0.1:{port}").open()
        return caught.value

    error = asyncio.run(go())
    assert error.kind == "unreachable"
    assert "refused" in str(error) or "Connect call failed" in str(error)


def test_a_ca_file_that_cannot_be_read_is_said(sender, tmp_path):
    for path in (tmp_path / "none.pem", tmp_path / "empty.pem"):
        (tmp_path / "empty.pem").touch()
        error = refusal(sender, f"smtps://127.0.0.1:{{port}}?cafile={path}")
        assert error.kind == "untrusted"
        assert path.name in str(error)


def test_a_relay_error_survives_pickling():
    error = RelayError("no", "refused_login")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.kind) == ("no", "refused_login")
    assert RelayError("no").kind == "unreachable"


# --- The URL ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtp://mail.example", RelayUrl("mail.example", 25)),
        ("smtps://mail.example", RelayUrl("mail.example", 465, "smtps")),
        ("smtp+starttls://m.example/", RelayUrl("m.example", 587, "smtp+starttls")),
        ("SMTP://[::1]:2525", RelayUrl("::1", 2525)),
        (
            f"smtps://{LOGIN}@mail.example:4650?verify=no&cafile=/a%20b.pem",
            RelayUrl("mail.example", 4650, "smtps", USER, PASSWORD, False, "/a b.pem"),
        ),
    ],
)
def test_a_url_is_read(text, expected):
    assert RelayUrl.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing://"),
        ("mail.example:25", "mail.example://"),
        ("http://user:hunter2@mail.example", "http://"),
        ("smtp://", "host is missing"),
        ("smtp://mail.example:99999", "port"),
        ("smtp://user:hunter2@mail.example:no", "port"),
        ("smtp://mail.example/path", "behind the host"),
        ("smtp://mail.example#x", "behind the host"),
        ("smtp://u:hunter2%0d%0a@mail.example", "control characters"),
        ("smtp://mail.example?verify=maybe", "yes or no"),
        ("smtp://mail.example?verfy=no", "unknown option verfy"),
        ("smtp://[mail.example", "port"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused_by_the_settings_name(text, said):
    with pytest.raises(ConfigError) as caught:
        RelayUrl.parse(text)
    assert str(caught.value).startswith("DISTRIBUTOR_SMTP_URL: ")
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_password_is_shown_to_nobody():
    url = RelayUrl.parse("smtps://user:hunter2@mail.example")
    assert "hunter2" not in repr(url)
    assert str(url) == "mail.example:465"


def test_what_a_server_offers_is_read():
    assert Offers.read({}) == Offers()
    assert Offers.read(
        {"pipelining": "", "smtputf8": "", "dsn": "", "size": "1000"}
    ) == Offers(pipelining=True, smtputf8=True, dsn=True, size_limit=1000)
