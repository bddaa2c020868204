from __future__ import annotations

import email
import email.header
import email.policy
import html as markup
import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distributor.sending import compose, headers, quoted
from distributor.sending.compose import Composer, Facts, Person
from distributor.sending.wire import Wire, is_wire, on_wire

NONCE = "0123456789abcdef"
FACTS = Facts(
    subject="WIC News 7",
    date=datetime(2026, 11, 24, 9, 0, tzinfo=UTC),
    language="en",
    issue_slug="wic-news-7",
    from_name="WIC News",
    from_address="news@news.example.org",
    reply_to="editors@news.example.org",
    list_name="Weekly",
    list_slug="weekly",
    domain="news.example.org",
    view_url="https://news.example.org/issues/wic-news-7",
    archive_url="https://news.example.org/issues",
)
TOKEN = "a" + "0" * 48
ANN = Person(
    address="ann@example.org",
    name="Ann Lee",
    message_id=f"<{TOKEN}@news.example.org>",
    unsubscribe_url=f"https://news.example.org/u/{TOKEN}",
    preferences_url=f"https://news.example.org/p/{TOKEN}",
)
SLOTS = ("unsubscribe", "preferences", "view", "name", "address", "list")
FIELDS = [
    "From",
    "To",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "List-Id",
    "List-Help",
    "List-Archive",
    "List-Post",
    "Archived-At",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
    "Auto-Submitted",
    "Precedence",
    "X-Auto-Response-Suppress",
    "Content-Language",
    "MIME-Version",
    "Content-Type",
]


def slot(name):
    return f"slot-{NONCE}-{name}"


HTML = (
    "<p>Dear "
    + slot("name")
    + "</p>\n"
    + "".join(f'<a href="{slot(s)}">.</a>\n' for s in SLOTS)
)
TEXT = f"Dear {slot('name')},\n.\n..dots\nFrom here  \n" + "".join(
    f"{slot(s)}\n" for s in SLOTS
)


def changed(thing, **changes):
    names = type(thing).__dataclass_fields__
    return type(thing)(**{name: getattr(thing, name) for name in names} | changes)


def composed(person=ANN, *, facts=FACTS, html=HTML, text=TEXT):
    return Composer(facts, html=html, text=text, nonce=NONCE).compose(person)


def parsed(message):
    return email.message_from_bytes(message, policy=email.policy.default)


def parts(message):
    """Text and HTML, decoded octet by octet by the standard library."""
    return [
        part.get_payload(decode=True).decode() for part in parsed(message).iter_parts()
    ]


def filled(content, person, *, escape=str, facts=FACTS):
    name = headers.clean(person.name) or facts.fallback_name
    values = {
        "unsubscribe": headers.safe_url(person.unsubscribe_url),
        "preferences": headers.safe_url(person.preferences_url),
        "view": facts.view_url,
        "name": name,
        "address": person.address,
        "list": facts.list_name,
    }
    for key, value in values.items():
        content = content.replace(slot(key), escape(value))
    return content.replace("\n", "\r\n")


def assert_well_formed(message):
    assert is_wire(message)
    head, _, body = message.partition(b"\r\n\r\n")
    assert all(len(line) <= 78 for line in body.split(b"\r\n"))
    for line in head.split(b"\r\n"):
        unbreakable = max(map(len, line.split()))
        assert len(line) <= min(998, max(78, unbreakable + len("List-Unsubscribe: ")))
    names = [
        line.partition(b":")[0].decode()
        for line in head.split(b"\r\n")
        if line[:1] != b" "
    ]
    assert names == FIELDS
    assert parsed(message).keys() == FIELDS


# --- One message ---


def test_the_headers_are_exactly_those_of_a_good_newsletter():
    message = parsed(composed())
    assert dict(message.items()) == {
        "From": "WIC News <news@news.example.org>",
        "To": "Ann Lee <ann@example.org>",
        "Reply-To": "editors@news.example.org",
        "Subject": "WIC News 7",
        "Date": "Tue, 24 Nov 2026 09:00:00 +0000",
        "Message-ID": f"<{TOKEN}@news.example.org>",
        "List-Id": "Weekly <weekly.news.example.org>",
        "List-Help": "<mailto:editors@news.example.org?subject=help>",
        "List-Archive": "<https://news.example.org/issues>",
        "List-Post": "NO",
        "Archived-At": "<https://news.example.org/issues/wic-news-7>",
        "List-Unsubscribe": f"<https://news.example.org/u/{TOKEN}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Feedback-ID": "wic-news-7:weekly:newsletter:news.example.org",
        "Auto-Submitted": "auto-generated",
        "Precedence": "bulk",
        "X-Auto-Response-Suppress": "OOF, AutoReply",
        "Content-Language": "en",
        "MIME-Version": "1.0",
        "Content-Type": message["Content-Type"],
    }
    assert not message.defects


def test_text_comes_first_and_html_second_in_the_same_alternative():
    message = parsed(composed())
    assert message.get_content_type() == "multipart/alternative"
    described = [
        (
            part.get_content_type(),
            part.get_content_charset(),
            part["Content-Transfer-Encoding"],
        )
        for part in message.iter_parts()
    ]
    assert described == [
        ("text/plain", "utf-8", "quoted-printable"),
        ("text/html", "utf-8", "quoted-printable"),
    ]


def test_every_attempt_has_the_same_bytes():
    assert composed() == composed()
    assert type(composed()) is Wire


def test_the_boundary_follows_from_the_content():
    def boundary(message):
        return parsed(message).get_boundary()

    assert boundary(composed()) == boundary(composed(changed(ANN, name="Bea")))
    assert boundary(composed()) != boundary(composed(text=TEXT + "more"))


def test_nobody_is_addressed_by_an_empty_name():
    message = composed(changed(ANN, name=" \t"))
    assert parsed(message)["To"] == "ann@example.org"
    assert "Dear reader," in parts(message)[0]


def test_a_non_ascii_local_part_stays_as_it_is():
    message = composed(changed(ANN, address="jörg@example.org"))
    assert b"To: Ann Lee <j\xc3\xb6rg@example.org>\r\n" in message
    assert "jörg@example.org" in parts(message)[1]


@pytest.mark.parametrize(
    ("html", "text"), [("", "text"), ("<p>", " \n"), ("\n", ""), (" ", "text")]
)
def test_an_empty_part_is_refused(html, text):
    with pytest.raises(ValueError, match="text and HTML"):
        composed(html=html, text=text)


def test_no_dot_needs_stuffing():
    message = composed(text=".\n.\r\n.\r..\n", html=".\n.")
    assert b"\n." not in message
    assert parts(message)[0] == ".\r\n.\r\n.\r\n..\r\n"


def test_a_line_that_mailboxes_would_quote_is_encoded():
    assert b"\n=46rom here" in composed()


@pytest.mark.parametrize(
    "address",
    ["ann@example.org\r\nBcc: eve@example.org", "ann", "a <b@c.org>", "a@b.org\n", ""],
)
def test_an_address_that_could_break_out_is_refused(address):
    with pytest.raises(ValueError, match="cannot stand"):
        composed(changed(ANN, address=address))


@pytest.mark.parametrize(
    "message_id", ["", "x@y", "<x@y>\r\nBcc: z", "<x y@z>", "<x@y>\n"]
)
def test_a_message_id_that_could_break_out_is_refused(message_id):
    with pytest.raises(ValueError, match="Message-ID"):
        composed(changed(ANN, message_id=message_id))


@pytest.mark.parametrize("language", ["en\r\nBcc: eve@example.org", "en\n", "é"])
def test_a_fact_that_could_break_out_is_refused(language):
    with pytest.raises(ValueError, match="no header may hold"):
        composed(facts=changed(FACTS, language=language))


INJECTIONS = [
    "x\r\nBcc: eve@example.org",
    "x\nBcc: eve@example.org",
    "x\rBcc: eve@example.org",
    "x\r\n\r\n<script>",
    "=?utf-8?q?a=0D=0ABcc=3A_eve=40example.org?=",
    "x\x00\x85\u2028\u2029Bcc: y",
    '"; Bcc: eve@example.org; "',
    "x\r\n.\r\nMAIL FROM:<eve@example.org>",
    "x\n.\nRCPT TO:<eve@example.org>",
    "{{ 7*7 }} %s {0} ${x}",
    "<script>alert(1)</script>",
]


@pytest.mark.parametrize("value", INJECTIONS)
def test_nothing_breaks_out_of_a_name_or_a_fact(value):
    facts = changed(
        FACTS, subject=value, from_name=value, list_name=value, issue_slug=value
    )
    person = changed(
        ANN, name=value, unsubscribe_url="https://a/" + value, preferences_url=value
    )
    message = composed(person, facts=facts)
    assert_well_formed(message)
    assert "eve" not in str(parsed(message).get_all("Bcc"))
    assert "<script>" not in parts(message)[1]


# --- Any message ---

texts = st.text(st.characters(codec="utf-8"), max_size=150)
names = st.one_of(
    texts,
    st.text("abc .,;:\"\\<>()@=?'&-_\r\n\t\u00a0äßЖ中😀", max_size=150),
    st.from_regex(r"[A-Za-z ]{1,200}", fullmatch=True),
)
locals_ = st.from_regex(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}", fullmatch=True)
domains = st.from_regex(r"[a-z0-9]{1,60}(\.[a-z0-9]{1,60}){0,3}", fullmatch=True)
urls = st.one_of(
    st.from_regex(r"https://[a-z.]{1,40}/[A-Za-z0-9./=&?%~_-]{0,200}", fullmatch=True),
    texts,
)


@given(name=names, local=locals_, domain=domains, unsubscribe=urls, preferences=urls)
@example("", "a", "b", "", "")
@example("." * 80, "." * 64, "b", "." * 200, "From " * 40)
def test_any_person_gets_exactly_what_was_meant(
    name, local, domain, unsubscribe, preferences
):
    person = changed(
        ANN,
        name=name,
        address=f"{local}@{domain}",
        unsubscribe_url=unsubscribe,
        preferences_url=preferences,
    )
    message = composed(person)
    assert_well_formed(message)
    text, html = parts(message)
    assert text == filled(TEXT, person)
    assert html == filled(HTML, person, escape=markup.escape)
    one_click = re.search(rb"\r\nList-Unsubscribe: <(.*)>\r\n", message)
    assert one_click[1].decode() == headers.safe_url(unsubscribe)


@given(texts.filter(str.strip), texts.filter(str.strip))
def test_any_content_decodes_to_itself(text, html):
    text = text.replace(NONCE, "")
    message = composed(text=text, html=html)
    assert_well_formed(message)
    expected = [
        re.sub("\r\n|\r|\n", "\r\n", content.replace(NONCE, ""))
        for content in (text, html)
    ]
    assert parts(message) == expected


@given(st.lists(texts, max_size=6))
def test_pieces_and_values_can_be_joined_in_any_order(values):
    joined = b"".join(
        quoted.part(value) if number % 2 else quoted.value(value)
        for number, value in enumerate(values)
    )
    meant = "".join(
        re.sub("\r\n|\r|\n", "\r\n", value) if number % 2 else quoted.one_line(value)
        for number, value in enumerate(values)
    )
    assert (
        email.message_from_bytes(
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + joined
        ).get_payload(decode=True)
        == meant.encode()
    )
    assert all(len(line) <= 76 for line in joined.split(b"\r\n"))
    assert is_wire(joined)


@given(names)
def test_a_subject_decodes_to_the_clean_text(subject):
    field = headers.unstructured("Subject", subject)
    assert all(len(line) <= 78 for line in field.split("\r\n"))
    assert parsed(f"{field}\r\n".encode())["Subject"] == headers.clean(subject)


@given(names, locals_, domains)
def test_a_mailbox_decodes_to_the_clean_name_and_the_address(name, local, domain):
    address = f"{local}@{domain}"
    field = headers.mailbox("To", name, address)
    assert all(len(line) <= max(78, len(address) + 6) for line in field.split("\r\n"))
    shown, found = email.utils.parseaddr(field.removeprefix("To: "))
    assert found == address
    decoded = str(email.header.make_header(email.header.decode_header(shown)))
    assert decoded == headers.clean(name)


@pytest.mark.parametrize("at", [0, 75, 76, 150, 200])
def test_a_dot_anywhere_in_a_long_link_never_starts_a_line(at):
    url = "u" * at + "." + "u" * (250 - at)
    lines = quoted.value(url).split(b"\r\n")
    assert not any(line.startswith(b".") for line in lines)
    assert b"".join(line[:-1] for line in lines).replace(b"=2E", b".") == url.encode()


def test_a_long_plain_subject_is_folded_between_words():
    field = headers.unstructured("Subject", "word " * 40)
    assert all(50 < len(line) <= 78 for line in field.split("\r\n")[:-2])
    assert field.replace("\r\n", "") == "Subject: " + ("word " * 40).strip()


def test_lone_surrogates_become_the_replacement_character():
    assert headers.clean("a\ud800b") == "a\ufffdb"
    assert quoted.value("a\ud800b") == quoted.value("a\ufffdb")
    assert headers.safe_url("https://a/\ud800") == "https://a/%EF%BF%BD"


def test_a_url_that_is_safe_stays_as_it_is():
    url = "https://a.example/x?y=1&z=%20#f"
    assert headers.safe_url(url) == url
    assert headers.safe_url('https://a/"> <b>') == "https://a/%22%3E%20%3Cb%3E"


def test_a_name_is_bare_quoted_or_encoded():
    assert headers.phrase("Ann Lee") == "Ann Lee"
    assert headers.phrase("Lee, Ann") == '"Lee, Ann"'
    assert headers.phrase('a "b" \\c') == '"a \\"b\\" \\\\c"'
    assert headers.phrase("Jörg Meier-Lüdenscheid") == (
        "=?utf-8?q?J=C3=B6rg_Meier-L=C3=BCdenscheid?="
    )
    assert headers.phrase("中文") == "=?utf-8?b?5Lit5paH?="
    assert headers.phrase("=?x") == "=?utf-8?b?PT94?="
    assert headers.phrase('"' * 60).startswith("=?utf-8?")


def test_a_long_list_name_is_folded():
    message = composed(facts=changed(FACTS, list_name="n" * 40))
    assert b"List-Id: " + b"n" * 40 + b"\r\n <weekly." in message
    assert_well_formed(message)


# --- The last look before the wire ---


@pytest.mark.parametrize("segment", [b"a\nb", b"\r\n.\r\n", b"a\0", b"end\r"])
def test_a_segment_that_could_break_out_is_refused_once_for_all(segment):
    with pytest.raises(ValueError, match="after DATA"):
        compose._joined([b"From: a\r\n", 0, segment])


@pytest.mark.parametrize(
    "message",
    [
        b"a\n.\nb\r\n",
        b"a\r.\rb\r\n",
        b"a\r\n.\rb\r\n",
        b"a\r.\r\nb\r\n",
        b"a\n.\r\nb\r\n",
        b"a\r\n.\nb\r\n",
        b"a\r\r\n.\r\r\nb\r\n",
        b"a\x00\r\n.\r\n",
        b"no end",
        b"half an end\r",
        b"",
        b"\n",
    ],
)
def test_a_message_that_some_server_could_split_is_refused(message):
    with pytest.raises(ValueError, match="CRLF"):
        on_wire(message)


def test_dots_at_the_start_of_lines_are_stuffed():
    assert on_wire(b".a\r\n.\r\n..\r\n") == b"..a\r\n..\r\n...\r\n"


@given(st.binary(max_size=60))
def test_what_is_written_is_always_fit_to_be_written(data):
    message = (
        data.replace(b"\r", b"").replace(b"\n", b"\r\n").replace(b"\0", b"") + b"\r\n"
    )
    wire = on_wire(message)
    assert on_wire(wire) is wire
    assert b"\r\n.\r\n" not in b"\r\n" + wire
    unstuffed = (b"\r\n" + wire).replace(b"\r\n..", b"\r\n.")
    assert unstuffed == b"\r\n" + message


@pytest.mark.parametrize("part", [b"a\r", b".a", b"a\r\n.", b"\n", b"\r", b"a\nb"])
def test_a_part_that_could_break_out_is_found(part):
    assert not is_wire(part)
