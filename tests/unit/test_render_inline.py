from __future__ import annotations

import concurrent.futures
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from premailer import Premailer

from distributor.errors import TemplateError
from distributor.render.inline import inlined

KEPT = (
    '<style data-premailer="ignore">@media (prefers-color-scheme: dark)'
    "{ p { color: #fff !important } } a:hover { color: red }</style>"
)


def page(body, css="", kept=KEPT):
    head = f'<head><meta charset="utf-8"><style>{css}</style>{kept}</head>'
    return f"<!DOCTYPE html><html lang='en'>{head}<body>{body}</body></html>"


def run(body, css="", kept=KEPT):
    return inlined(page(body, css, kept), template="email.html.j2")


@pytest.fixture
def trap():
    """A local server that notes whatever is fetched from it."""
    fetched = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self):
            fetched.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"p { color: red }")

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Trap)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", fetched
    server.shutdown()
    thread.join()
    server.server_close()


def test_rules_become_style_attributes():
    assert '<p style="color:#123456">' in run("<p>x</p>", "p { color: #123456 }")


def test_doctype_and_charset_stay_first():
    result = run("<p>é 中</p>")
    assert result.startswith("<!DOCTYPE html>")
    assert result.index("charset") < result.index("<style")
    assert "é 中" in result


def test_dark_and_hover_rules_are_kept_with_their_important():
    result = run("<p>x</p>", "p { color: #000 }")
    assert "prefers-color-scheme: dark" in result
    assert "color: #fff !important" in result
    assert "a:hover" in result


def test_import_in_a_template_is_refused():
    with pytest.raises(TemplateError, match=r"email\.html\.j2: it contains an @import"):
        run("<p>x</p>", "@import url(http://127.0.0.1:9/x.css);")


def test_cssutils_fetches_nothing_even_if_an_import_gets_through(trap):
    address, fetched = trap
    html = page("<p>x</p>", f"@import url({address}/x.css); p {{ margin: 0 }}")
    Premailer(
        html, allow_network=False, cssutils_logging_level=logging.CRITICAL
    ).transform()
    assert fetched == []


def test_a_linked_style_sheet_is_refused_before_anything_is_fetched(trap):
    address, fetched = trap
    with pytest.raises(TemplateError, match="a <link>; put its CSS into"):
        run("<p>x</p>", kept=f'{KEPT}<LINK rel=stylesheet href="{address}/x.css">')
    assert fetched == []


def test_unresolved_braces_in_css_are_refused():
    with pytest.raises(TemplateError, match="never resolved"):
        run("<p>x</p>", "p { color: {{ accent }} }")


def test_text_may_show_all_of_these_signs():
    result = run("<p>@import &lt;link&gt; {{ x }} {% raw %}</p>")
    assert "@import &lt;link&gt; {{ x }} {% raw %}" in result


def test_losing_the_dark_colours_is_refused():
    with pytest.raises(TemplateError, match="no dark colours are left"):
        run("<p>x</p>", kept="")


@pytest.mark.parametrize(
    ("body", "css"),
    [
        ('<p style="head">x</p>', "p { margin: 0 }"),
        ("<p>x</p>", "@media print { @media screen { p { color: red } } }"),
    ],
)
def test_css_that_trips_the_inliner_is_an_error_that_names_the_template(body, css):
    with pytest.raises(TemplateError, match=r"email\.html\.j2: its CSS cannot"):
        run(body, css)


def test_tokens_and_fragments_in_links_are_untouched():
    body = '<a href="slot-0123456789abcdef-view">x</a><a href="#a-1">y</a>'
    result = run(body, "a { color: red }")
    assert 'href="slot-0123456789abcdef-view"' in result
    assert 'href="#a-1"' in result


def test_sizes_of_images_and_tables_stay_and_nothing_is_aligned():
    css = "img { width: 100%; height: auto } p { text-align: center }"
    result = run('<img src="x" alt="" width="60" height="40"><p>x</p>', css)
    assert 'width="60"' in result
    assert 'height="40"' in result
    assert "align=" not in result.replace("text-align", "")


def test_conditional_comments_survive():
    body = (
        "<!--[if mso]><table><tr><td><![endif]-->x<!--[if !mso]><!-->y<!--<![endif]-->"
    )
    assert body in run(body)


def test_threads_get_the_same_bytes():
    html = page("<p class='a'>x</p><p>y</p>" * 40, ".a { color: red } p { margin: 0 }")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = set(pool.map(lambda _: inlined(html, template="t"), range(24)))
    assert len(results) == 1
