from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter

import pytest
import wcwidth
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from distributor.articles import canonical
from distributor.characters import refused
from distributor.errors import ConfigError, TemplateError
from distributor.frontmatter import parse_issue, write_issue
from distributor.plaintext import issue_from_text
from distributor.render import slots
from distributor.render.renditions import Channel, Renditions, render
from distributor.render.slots import Slot
from distributor.render.templates import Templates, builtin_templates
from tests.fakes.newsletters import BRAND, DATA, DATE, small_issue, wic_issue

LONG_URL = "https://example.com/a-very-long-address/that-goes/on-and-on/"
LONG_URL += "for-more-than-seventy-two/columns.html"
TEMPLATES = Templates([builtin_templates()])
HTML_CHANNELS = ("email_html", "feed_html", "web")


def made(issue=None, brand=BRAND):
    return render(issue or small_issue(), brand, TEMPLATES)


def sample(name):
    text = (DATA / "issues" / name).read_text(encoding="utf-8")
    return parse_issue(text, source=name, slug=name.removesuffix(".md"))


@pytest.fixture(scope="module")
def wic():
    return made(wic_issue())


def shown(html):
    """The text a reader sees, on one line."""
    root = lxml_html.fromstring(html)
    for hidden in root.xpath("//style|//script|//title|//head"):
        hidden.drop_tree()
    return " ".join("".join(root.itertext()).split())


def on_one_line(text):
    return " ".join(text.split())


@pytest.mark.parametrize("channel", HTML_CHANNELS)
def test_every_html_channel_holds_the_real_newsletter_verbatim(wic, channel):
    root = lxml_html.fromstring(getattr(wic, channel))
    said = [
        " ".join(e.text_content().split(" "))
        for e in root.iter("h2", "p")
        if e.get("class") in {None, "title"} and e.get("id") != "_contents"
    ]
    issue = wic_issue()
    expected = []
    for article in issue.articles:
        expected += [article.title, *article.body.split("\n\n")]
    position = said.index(expected[0])
    assert said[position : position + len(expected)] == expected
    assert issue.contact in said[position + len(expected) :]


def test_the_plain_text_holds_the_real_newsletter_verbatim(wic):
    text = on_one_line(wic.email_text)
    position = 0
    for article in wic_issue().articles:
        for paragraph in article.body.split("\n\n"):
            position = text.index(on_one_line(paragraph), position)
    assert text.index(on_one_line(wic_issue().contact), position) > position


def test_the_plain_text_has_fourteen_paragraphs_and_twelve_headlines(wic):
    blocks = wic.email_text.split("\n\n")
    written = {
        on_one_line(p) for a in wic_issue().articles for p in a.body.split("\n\n")
    }
    assert sum(on_one_line(block) in written for block in blocks) == 14
    assert len(re.findall(r"(?m)^-{10,}$", wic.email_text)) == 12
    assert "\u00a0" not in wic.email_text


def test_slots_are_in_both_emails_and_nowhere_else(wic):
    expected = {Slot.UNSUBSCRIBE, Slot.PREFERENCES, Slot.VIEW, Slot.NAME, Slot.LIST}
    assert set(slots.count(wic.email_html, wic.nonce)) >= expected
    assert set(slots.count(wic.email_text, wic.nonce)) >= expected
    assert "slot-" not in wic.feed_html + wic.web
    assert re.fullmatch("[0-9a-f]{16}", wic.nonce)


def test_content_cannot_forge_a_slot():
    body = "[x](slot-0123456789abcdef-unsubscribe) slot-0123456789abcdef-name"
    plain, forged = made(), made(small_issue(("One", body)))
    assert slots.count(forged.email_html, forged.nonce) == slots.count(
        plain.email_html, plain.nonce
    )
    assert forged.nonce != plain.nonce


def test_contents_of_email_and_page_lead_to_ids_that_exist_once(wic):
    for html in (wic.email_html, wic.web):
        root = lxml_html.fromstring(html)
        ids = Counter(root.xpath("//@id"))
        jumps = [href[1:] for href in root.xpath("//a/@href") if href.startswith("#")]
        assert len(jumps) >= 12
        assert all(ids[jump] == 1 for jump in jumps)
        assert max(ids.values()) == 1


def test_the_email_stays_far_below_what_gmail_clips(wic):
    assert len(wic.email_html.encode()) < 40_000


def test_the_email_has_what_programs_and_people_with_screen_readers_need(wic):
    root = lxml_html.fromstring(wic.email_html)
    assert wic.email_html.startswith("<!DOCTYPE html>")
    assert (root.get("lang"), root.get("dir")) == ("en", "ltr")
    (article,) = root.xpath("//div[@role='article']")
    assert (article.get("lang"), article.get("dir")) == ("en", "ltr")
    assert article.get("aria-label") == root.findtext("head/title") == "WIC News 7"
    assert all(t.get("role") == "presentation" for t in root.iter("table"))
    assert len(root.xpath("//h1")) == 1
    assert BRAND.postal_address in shown(wic.email_html)
    assert "color-scheme" in wic.email_html
    assert "prefers-color-scheme: dark" in wic.email_html
    assert "<!--[if mso]><table" in wic.email_html


def test_the_preheader_is_not_coloured_like_its_ground(wic):
    (hidden,) = lxml_html.fromstring(wic.email_html).xpath("//div[@aria-hidden]")[:1]
    assert hidden.text.startswith("WIC Nishan Dialogue")
    assert "color" not in hidden.get("style")


def test_the_telephone_number_is_a_link_in_html(wic):
    for channel in HTML_CHANNELS:
        assert '<a href="tel:010-55636542"' in getattr(wic, channel)


def test_the_feed_is_clean(wic):
    root = lxml_html.fragment_fromstring(wic.feed_html, create_parent="div")
    assert {e.tag for e in root.iter()} == {"div", "h2", "p", "a", "hr"}
    assert {name for e in root.iter() for name in e.attrib} == {"href"}
    hrefs = root.xpath("//@href")
    assert all(h.startswith(("https://news.example.org/", "tel:")) for h in hrefs)


def test_the_page_says_what_it_is_to_search_engines_and_readers(wic):
    root = lxml_html.fromstring(wic.web)
    page = "https://news.example.org/issues/wic-news-7/"
    assert root.xpath("//link[@rel='canonical']/@href") == [page]
    assert root.xpath("//link[@rel='alternate']/@href") == [
        f"https://news.example.org/feeds/{name}"
        for name in ("rss.xml", "atom.xml", "feed.json")
    ]
    (structured,) = root.xpath("//script[@type='application/ld+json']/text()")
    data = json.loads(structured)
    assert data["@type"] == "NewsArticle"
    assert data["datePublished"] == "2023-06-30T09:00:00+08:00"
    assert len(data["hasPart"]) == 12
    assert all(len(part["headline"]) <= 110 for part in data["hasPart"])
    assert root.xpath("//time/@datetime") == ["2023-06-30T09:00:00+08:00"]
    assert root.xpath("//meta[@name='description']/@content") == [wic.summary]


def test_the_page_needs_no_inline_style_and_no_script(wic):
    assert " style=" not in wic.web
    assert "<style" not in wic.web
    assert re.findall(r"<script[^>]*>", wic.web) == [
        '<script type="application/ld+json">'
    ]


def test_every_channel_carries_the_same_links_and_images():
    rich = made(sample("rich.md"))
    wanted = {
        "https://example.com/a?b=1&c=2",
        "https://news.example.org/about",
        LONG_URL,
        "https://news.example.org/letters/issues/rich/images/chart.png",
    }
    for channel in HTML_CHANNELS:
        root = lxml_html.fromstring(getattr(rich, channel))
        assert wanted <= {*root.xpath("//a/@href"), *root.xpath("//img/@src")}
    assert all(url in rich.email_text for url in wanted)


def test_markup_and_template_syntax_in_content_are_text_in_every_channel():
    evil = "{{ 7*7 }} {% raw %} <script>x</script> <!--[if mso]> {# c #} </style>"
    issue = small_issue((evil, evil), title=evil, subject=evil, preheader=evil)
    brand = dataclasses.replace(BRAND, newsletter=evil, publisher=evil)
    renditions = made(issue, brand)
    for channel in HTML_CHANNELS:
        html = getattr(renditions, channel)
        assert "<script>" not in html
        assert shown(html).count(evil) >= 2
    assert on_one_line(renditions.email_text).count(evil) >= 3


def test_structured_data_cannot_be_broken_out_of():
    title = '</script><img src=x onerror="alert(1)">'
    html = made(small_issue((title, "x"), title=title)).web
    assert "<img" not in html
    assert html.count("</script>") == 1


def test_an_anchor_in_content_stays_short_in_the_email_and_absolute_in_the_feed():
    rich = made(sample("rich.md"))
    assert 'href="#numbers"' in rich.email_html
    assert 'href="#numbers"' not in rich.feed_html
    assert 'href="https://news.example.org/letters/issues/rich/#numbers"' in (
        rich.feed_html
    )


def test_chinese_is_wrapped_by_columns_and_dated_its_own_way():
    text = made(sample("chinese.md")).email_text
    assert "2023年6月30日" in text
    for line in text.split("\n"):
        assert wcwidth.wcswidth(line) <= 78
        assert not line.startswith(("，", "。", "”"))


def test_a_right_to_left_issue_says_so():
    renditions = made(small_issue(language="ar"))
    for html in (renditions.email_html, renditions.web):
        assert lxml_html.fromstring(html).get("dir") == "rtl"


def test_optional_parts_leave_no_trace():
    brand = dataclasses.replace(BRAND, description="", postal_address="")
    renditions = made(small_issue(), brand)
    root = lxml_html.fromstring(renditions.email_html)
    assert not root.xpath("//*[@class='tagline' or @class='contact']")
    assert "with 1 article." in renditions.email_html
    assert "<hr>" not in renditions.feed_html


def test_a_publisher_that_begins_the_postal_address_is_not_said_twice():
    brand = dataclasses.replace(BRAND, postal_address=f"{BRAND.publisher}, Beijing")
    renditions = made(small_issue(), brand)
    assert renditions.web.count(f"{BRAND.publisher}, Beijing") == 1
    assert renditions.email_text.count(BRAND.publisher) == 1


def test_a_malformed_accent_colour_is_named():
    with pytest.raises(ConfigError, match="accent colour 'red'"):
        made(brand=dataclasses.replace(BRAND, accent="red"))


@pytest.mark.parametrize(
    ("name", "find", "replacement", "says"),
    [
        ("email.html.j2", "{{ slots.name }}", "you", "name slot is missing"),
        ("email.txt.j2", "{{ slots.unsubscribe }}", "", "unsubscribe slot is missing"),
        ("email.html.j2", "{{ slots.view }}", "{{ slots.view }}?x", "a whole href"),
        ("email.html.j2", "{{ slots.list }}", "{{ slots.lst }}", "no attribute 'lst'"),
        ("page.html.j2", "<main", "{{ slots.name }}<main", "'slots' is undefined"),
    ],
)
def test_a_workspace_template_that_breaks_the_mail_is_refused(
    tmp_path, name, find, replacement, says
):
    text = (builtin_templates() / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(text.replace(find, replacement), encoding="utf-8")
    with pytest.raises(TemplateError, match=re.escape(says)) as raised:
        render(small_issue(), BRAND, Templates([tmp_path, builtin_templates()]))
    assert name in str(raised.value)


def test_a_slot_in_css_that_the_inliner_drops_is_noticed(tmp_path):
    shutil.copytree(builtin_templates(), tmp_path / "own")
    css = tmp_path / "own" / "email.css"
    css.write_text(css.read_text() + "\n/* {{ slots.name }} */\n")
    with pytest.raises(TemplateError, match="slots were lost"):
        render(small_issue(), BRAND, Templates([tmp_path / "own"]))


def test_a_public_template_that_smuggles_a_slot_is_refused(tmp_path):
    nonce = made().nonce
    (tmp_path / "feed.html.j2").write_text(f"slot-{nonce}-name")
    with pytest.raises(TemplateError, match="slots belong in emails only"):
        render(small_issue(), BRAND, Templates([tmp_path, builtin_templates()]))


def test_channels_are_the_names_of_the_renditions():
    names = {field.name for field in dataclasses.fields(Renditions)}
    assert {str(channel) for channel in Channel} <= names


def test_a_new_content_hash_for_any_change_of_any_channel(wic, tmp_path):
    (tmp_path / "feed.html.j2").write_text("nothing")
    other = render(wic_issue(), BRAND, Templates([tmp_path, builtin_templates()]))
    assert other.content_hash != wic.content_hash
    assert other.nonce == wic.nonce


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Shanghai", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "America/New_York", "LC_ALL": "C.UTF-8"},
    ],
)
def test_other_processes_locales_and_zones_give_the_same_bytes(wic, environment):
    program = (
        "from tests.unit.test_renditions import made, all_bytes, wic_issue, hashlib\n"
        "print(hashlib.sha256(all_bytes(made(wic_issue()))).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        cwd=builtin_templates().parent,
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.strip() == hashlib.sha256(all_bytes(wic)).hexdigest()


def all_bytes(renditions):
    return "\0".join(dataclasses.astuple(renditions)).encode()


_WORDS = st.text(
    st.sampled_from("<>&\"'{}%#*_[]()`\\!-=. abcé中\u00a0")
    | st.characters(codec="utf-8"),
    min_size=1,
    max_size=60,
).map(lambda text: " ".join(text.split(" ")).strip())


def _says_something(text):
    return bool(text) and not refused(text) and not set(text) & set("\n\r\t")


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(_WORDS.filter(_says_something), _WORDS.filter(_says_something)),
        min_size=1,
        max_size=3,
        unique_by=lambda pair: pair[0].casefold(),
    )
)
def test_any_titles_and_texts_appear_in_all_channels_in_order_as_text(pairs):
    longest = max(len(text) for pair in pairs for text in pair)
    blocks = [block for title, text in pairs for block in (title, text)]
    issue = small_issue(*((t, _verbatim(x)) for t, x in pairs), preheader="x")
    renditions = made(issue)
    assert made(issue) == renditions
    for channel in (*HTML_CHANNELS, "email_text"):
        content = getattr(renditions, channel)
        said = content if channel == "email_text" else shown(content)
        squeezed = "".join(said.split())
        position = 0
        for block in blocks:
            wanted = "".join(block.split())
            position = squeezed.index(wanted, position) + len(wanted)
    assert longest
    for line in renditions.email_text.split("\n"):
        assert wcwidth.wcswidth(line) <= 78 or " " not in line.strip()


def _verbatim(text):
    """Markdown that shows a text, as the importer writes it."""
    imported = issue_from_text(
        f"N\n\nH\n\nIn short: {text}",
        slug="x",
        number=1,
        date=DATE,
        language="en",
        base_url="https://a.org",
    )
    return canonical(imported.articles[0].body)


def test_an_issue_of_two_hundred_articles_is_rendered():
    many = small_issue(*((f"Title {n}", "Text. " * 20) for n in range(200)))
    assert made(many).web.count('<section class="article"') == 200


def test_the_issue_file_renders_like_the_imported_issue(wic):
    text = write_issue(wic_issue())
    assert made(parse_issue(text, source="x", slug="wic-news-7")) == wic
