"""Pages and feeds over real HTTP: types, caching, compression, safety."""

from __future__ import annotations

import gzip
import itertools
import json
import re
from urllib.parse import urldefrag, urljoin

import feedparser
import httpx
import pytest
import sqlalchemy as sa
from lxml import html

from distributor.render.templates import Templates, builtin_templates

FEEDS = {
    "/feeds/rss.xml": "application/rss+xml; charset=utf-8",
    "/feeds/atom.xml": "application/atom+xml; charset=utf-8",
    "/feeds/feed.json": "application/feed+json; charset=utf-8",
}
PAGES = ["/", "/feeds/", "/issues/issue-1/", "/issues/issue-2/"]
HTML = "text/html; charset=utf-8"
TYPES = {**FEEDS, **dict.fromkeys(PAGES, HTML)}
TYPES["/static/style.css"] = TYPES["/static/site.css"] = "text/css; charset=utf-8"


def test_everything_public_is_served_with_type_tag_and_age(client) -> None:
    for path, media_type in TYPES.items():
        found = client.get(path)
        assert found.status_code == 200
        assert found.headers["content-type"] == media_type
        assert re.fullmatch(r'"[0-9a-f]{32}-gzip"', found.headers["etag"])
        assert found.headers["last-modified"].endswith(" GMT")
        assert found.headers["cache-control"] == "public, max-age=300"
        assert found.headers["vary"] == "Accept-Encoding"
        assert found.headers["content-encoding"] == "gzip"
        assert "set-cookie" not in found.headers


def test_plain_and_compressed_bytes_have_tags_of_their_own(client) -> None:
    for path in TYPES:
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        packed = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in plain.headers
        assert plain.headers["etag"] != packed.headers["etag"]
        assert plain.content == packed.content
        assert int(packed.headers["content-length"]) < len(plain.content)
        with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as raw:
            assert gzip.decompress(b"".join(raw.iter_raw())) == plain.content


def test_head_says_what_get_would_and_sends_nothing(client) -> None:
    for path in TYPES:
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "content-type", "content-length", "last-modified", "vary"):
            assert head.headers[name] == get.headers[name]


def test_who_has_it_already_gets_304(client) -> None:
    for path in TYPES:
        first = client.get(path)
        for method, headers in itertools.product(
            ["GET", "HEAD"],
            (
                {"If-None-Match": first.headers["etag"]},
                {"If-None-Match": f'"other", W/{first.headers["etag"]}'},
                {"If-None-Match": "*"},
                {"If-Modified-Since": first.headers["last-modified"]},
            ),
        ):
            again = client.request(method, path, headers=headers)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == first.headers["etag"]
            assert again.headers["cache-control"] == first.headers["cache-control"]
            assert again.headers["vary"] == "Accept-Encoding"
            assert "content-type" not in again.headers


def test_another_tag_wins_over_an_unchanged_date(client) -> None:
    first = client.get("/feeds/rss.xml")
    headers = {
        "If-None-Match": '"other"',
        "If-Modified-Since": first.headers["last-modified"],
    }
    assert client.get("/feeds/rss.xml", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/feeds/rss.xml", "/feeds/atom.xml"])
def test_feedparser_reads_the_feed_and_is_told_when_nothing_is_new(
    newsroom, path: str
) -> None:
    url = newsroom.base_url + path
    first = feedparser.parse(url)
    assert first.status == 200
    assert not first.bozo
    assert [entry.link for entry in first.entries] == [
        f"{newsroom.base_url}/issues/issue-2/",
        f"{newsroom.base_url}/issues/issue-1/",
    ]
    assert first.entries[0].title == "Issue <2>"
    assert feedparser.parse(url, etag=first.etag).status == 304
    assert feedparser.parse(url, modified=first.modified).status == 304
    newsroom.publish(3)
    later = feedparser.parse(url, etag=first.etag, modified=first.modified)
    assert later.status == 200
    assert later.entries[0].link == f"{newsroom.base_url}/issues/issue-3/"
    assert [entry.id for entry in later.entries[1:]] == [e.id for e in first.entries]


def test_every_feed_names_itself_as_it_is_served(newsroom, client) -> None:
    for path in FEEDS:
        expected = f'<{newsroom.base_url}{path}>; rel="self"'
        assert client.get(path).headers["link"] == expected
    document = client.get("/feeds/feed.json").json()
    assert document["feed_url"] == f"{newsroom.base_url}/feeds/feed.json"


def test_publishing_in_another_process_shows_at_once_everywhere(
    newsroom, client
) -> None:
    changing = ["/", *FEEDS]
    tags = {path: client.get(path).headers["etag"] for path in changing}
    assert client.get("/issues/issue-3/").status_code == 404
    newsroom.publish(3)
    assert client.get("/issues/issue-3/").status_code == 200
    for path in changing:
        assert b"issue-3" in client.get(path).content
        stale = client.get(path, headers={"If-None-Match": tags[path]})
        assert stale.status_code == 200


def test_a_correction_shows_at_once_and_keeps_the_id(newsroom, client) -> None:
    before = client.get("/feeds/feed.json").json()["items"]
    newsroom.save(1, body="Corrected text.")
    assert "Corrected text." in client.get("/issues/issue-1/").text
    after = client.get("/feeds/feed.json").json()["items"]
    assert [item["id"] for item in after] == [item["id"] for item in before]
    assert after[1]["date_modified"] > before[1]["date_modified"]
    assert after[0] == before[0]


def test_a_draft_is_nowhere(client) -> None:
    for path in ["/", *FEEDS]:
        assert b"issue-3" not in client.get(path).content
    assert client.get("/issues/issue-3/").status_code == 404


def test_the_index_lists_the_newest_issue_first(newsroom, client) -> None:
    page = html.fromstring(client.get("/").content)
    found = [(a.get("href"), a.text) for a in page.xpath("//main//h2/a")]
    assert found == [
        (f"{newsroom.base_url}/issues/issue-2/", "Issue <2>"),
        (f"{newsroom.base_url}/issues/issue-1/", "Issue <1>"),
    ]


def test_latest_leads_to_the_newest_page(newsroom, client) -> None:
    found = client.get("/latest")
    assert found.status_code == 302
    assert found.headers["location"] == f"{newsroom.base_url}/issues/issue-2/"
    assert found.headers["cache-control"] == "no-store"


def test_an_archive_without_issues_is_a_page_and_valid_feeds(engine, open_site) -> None:
    room = open_site(engine)
    with httpx.Client(base_url=room.base_url, trust_env=False) as client:
        assert "No issue has come out yet" in client.get("/").text
        assert client.get("/latest").status_code == 404
        assert json.loads(client.get("/feeds/feed.json").content)["items"] == []
        parsed = feedparser.parse(client.get("/feeds/rss.xml").content)
        assert not parsed.bozo


def test_a_missing_slash_is_added_on_our_own_host(newsroom, client) -> None:
    for path in ["/issues/issue-1", "/feeds"]:
        found = client.get(path, headers={"Host": "evil.example"})
        assert found.status_code == 308
        assert found.headers["location"] == f"{newsroom.base_url}{path}/"


def test_no_answer_ever_repeats_the_host_header(newsroom, client) -> None:
    paths = [*TYPES, "/latest", "/nothing", newsroom.unsubscribe_path()]
    for path in paths:
        found = client.get(path, headers={"Host": "evil.example"})
        assert "evil.example" not in found.text + str(found.headers)


def test_every_link_of_every_public_page_leads_somewhere(newsroom, client) -> None:
    seen, todo = set(), {f"{newsroom.base_url}/"}
    while todo:
        url = todo.pop()
        seen.add(url)
        found = client.get(url)
        assert found.status_code in {200, 302}, url
        if found.headers.get("content-type") != HTML:
            continue
        page = html.fromstring(found.content)
        for element, _, link, _ in page.iterlinks():
            target, fragment = urldefrag(urljoin(url, link))
            if fragment:
                assert page.get_element_by_id(fragment) is not None
            if target.startswith(newsroom.base_url) and element.tag in {"a", "link"}:
                todo |= {target} - seen
    assert len(seen) >= len(TYPES)


def test_pages_say_what_they_are_and_name_the_feeds(client) -> None:
    for path in [*PAGES, "/nothing", "/u/nonsense"]:
        page = html.fromstring(client.get(path).content)
        assert page.get("lang") == "en"
        assert len(page.xpath("//h1")) == 1
        assert len(page.xpath("//main")) == 1
        assert page.findtext(".//title")
        kinds = page.xpath("//link[@rel='alternate']/@type")
        assert [f"{kind}; charset=utf-8" for kind in kinds] == list(FEEDS.values())
        assert not page.xpath("//script[not(@type='application/ld+json')]")
        assert not page.xpath("//@style | //@onclick")


def test_every_answer_carries_the_protective_headers(client) -> None:
    for path in [
        "/",
        "/feeds/rss.xml",
        "/static/site.css",
        "/latest",
        "/healthz",
        "/nothing",
    ]:
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "style-src 'self'" in policy
        assert "form-action 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "referrer-policy" in headers
        # This site is served by plain http, where the header means nothing.
        assert "strict-transport-security" not in headers


def test_a_site_by_https_says_so_to_browsers(engine, open_site) -> None:
    room = open_site(engine, base_url="https://news.example")
    found = httpx.get(f"{room.base_url}/", trust_env=False)
    assert found.headers["strict-transport-security"] == "max-age=31536000"


def test_what_is_not_there_is_a_plain_404_page(client) -> None:
    for path in [
        "/nothing",
        "/issues/",
        "/issues/none/",
        "/issues/..%2f..%2fetc%2fpasswd/",
        "/issues/%00/",
        "/static/",
        "/static/none.css",
        "/static/..%2fpage.html.j2",
        "/static/%2e%2e/page.html.j2",
        "/static/.hidden.css",
        "/static/page.html.j2",
        "/feeds/other.xml",
    ]:
        found = client.get(path)
        assert found.status_code == 404, path
        assert found.headers["content-type"] == HTML
        assert "There is nothing here" in found.text
        assert found.headers["cache-control"] == "no-store"


def test_what_can_only_be_read_refuses_everything_else(client) -> None:
    for path in ["/", "/feeds/rss.xml", "/static/site.css"]:
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            found = client.request(method, path)
            assert found.status_code == 405
            assert "GET" in found.headers["allow"]
            assert found.headers["content-type"] == HTML


def test_a_workspaces_own_style_sheet_comes_first_and_changes_show(
    engine, open_site, tmp_path
) -> None:
    own = tmp_path / "site.css"
    own.write_text("body { color: red }", encoding="utf-8")
    room = open_site(engine, assets=[tmp_path / "missing", tmp_path])
    with httpx.Client(base_url=room.base_url, trust_env=False) as client:
        first = client.get("/static/site.css")
        assert first.text == "body { color: red }"
        assert client.get("/static/site.css").headers["etag"] == first.headers["etag"]
        assert ":root" in client.get("/static/style.css").text
        own.write_text("body { color: green }", encoding="utf-8")
        assert client.get("/static/site.css").text == "body { color: green }"


def test_health_is_told_by_the_database(newsroom, client) -> None:
    healthy = client.get("/healthz")
    assert (healthy.status_code, healthy.text) == (200, "ok\n")
    assert healthy.headers["cache-control"] == "no-store"
    with newsroom.engine.begin() as conn:
        conn.execute(sa.text("ALTER TABLE issues RENAME TO elsewhere"))
    broken = client.get("/healthz")
    assert broken.status_code == 503
    assert "elsewhere" not in broken.text


def test_without_a_database_pages_ask_to_come_back(open_site) -> None:
    gone = sa.create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    room = open_site(gone)
    with httpx.Client(base_url=room.base_url, trust_env=False) as client:
        for path in ("/", "/feeds/rss.xml", room.preferences_path()):
            found = client.get(path)
            assert found.status_code == 503
            assert found.headers["retry-after"] == "30"
            assert "try again soon" in found.text
        assert client.get("/healthz").status_code == 503
        # The unsubscribe page asks no database: scanners by the thousand are cheap.
        assert client.get(room.unsubscribe_path()).status_code == 200
    gone.dispose()


def test_a_broken_template_is_our_fault_and_tells_nothing(
    engine, open_site, tmp_path
) -> None:
    (tmp_path / "archive.html.j2").write_text("{{ secret_name }}", encoding="utf-8")
    room = open_site(engine, templates=Templates([tmp_path, builtin_templates()]))
    found = httpx.get(f"{room.base_url}/", trust_env=False)
    assert found.status_code == 500
    assert "secret_name" not in found.text
    assert "default-src 'none'" in found.headers["content-security-policy"]


def test_reading_anything_leaves_the_database_as_it_was(newsroom, client) -> None:
    paths = [
        *TYPES,
        "/latest",
        "/healthz",
        "/nothing",
        "/issues/issue-1",
        newsroom.unsubscribe_path(),
        newsroom.unsubscribe_path(99),
        newsroom.preferences_path(),
        newsroom.unsubscribe_path() + "?List-Unsubscribe=One-Click",
        newsroom.preferences_path() + "?list=daily",
        "/u/nonsense",
        "/p/nonsense",
    ]
    before = newsroom.dump()
    for path in paths:
        for method in ("GET", "HEAD"):
            assert client.request(method, path).status_code in {200, 302, 308, 404}
    assert newsroom.dump() == before
