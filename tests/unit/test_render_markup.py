from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from distributor.characters import refused
from distributor.markdown import tokens
from distributor.render.markup import Links, markup

PAGE = "https://news.example.org/issues/a/"


def write(body, **links):
    return str(markup(tokens(body), Links(PAGE, **links))).strip()


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("a *b* **c** `d`", "<p>a <em>b</em> <strong>c</strong> <code>d</code></p>"),
        ("# a\n## b\n#### c", "<h3>a</h3>\n<h3>b</h3>\n<h4>c</h4>"),
        ("[t](/x)", '<p><a href="https://news.example.org/x">t</a></p>'),
        ("[t](x)", f'<p><a href="{PAGE}x">t</a></p>'),
        ("[t](//a.org/x)", '<p><a href="https://a.org/x">t</a></p>'),
        (
            '[t](https://a.org/?a=1&b=2 "A \\" B")',
            '<p><a href="https://a.org/?a=1&amp;b=2" title="A &quot; B">t</a></p>',
        ),
        ("<me@a.org>", '<p><a href="mailto:me@a.org">me@a.org</a></p>'),
        ("[t](tel:+49123)", '<p><a href="tel:+49123">t</a></p>'),
        ("[t](ftp://a.org)", "<p><a>t</a></p>"),
        ("[t](javascript:alert)", "<p>[t](javascript:alert)</p>"),
        ("![*x* y](i.png)", f'<p><img src="{PAGE}i.png" alt="x y"></p>'),
        ("![x](data:image/png;base64,AA==)", '<p><img src="" alt="x"></p>'),
        ("<b onclick=x>y</b>", "<p>&lt;b onclick=x&gt;y&lt;/b&gt;</p>"),
        ("<style>@import 'x'</style>", "<p>&lt;style&gt;@import 'x'&lt;/style&gt;</p>"),
        ('<p style="head">', '<p>&lt;p style="head"&gt;</p>'),
        ("```py\nx < y\n```", "<pre><code>x &lt; y\n</code></pre>"),
        ("2. a\n3. b", '<ol start="2">\n<li>a</li>\n<li>b</li>\n</ol>'),
        ("a\u00a0b “c” 'd'", "<p>a&nbsp;b “c” 'd'</p>"),
    ],
)
def test_markdown_as_clean_html(markdown, html):
    assert write(markdown) == html


def test_links_to_anchors_of_the_page_stay_short_where_they_work():
    body = "[t](#there) [u](#elsewhere)"
    assert 'href="#there"' in write(body, anchors=frozenset({"there"}))
    assert f'href="{PAGE}#elsewhere"' in write(body, anchors=frozenset({"there"}))
    assert f'href="{PAGE}#there"' in write(body)


@pytest.mark.parametrize(
    ("written", "linked"),
    [
        ("Tel:010-55636542", 'Tel:<a href="tel:010-55636542">010-55636542</a>'),
        (
            "phone: +49 (30) 1234-567",
            'phone: <a href="tel:+49301234-567">+49 (30) 1234-567</a>',
        ),
        ("Tel 12", "Tel 12"),
        ("Hotel: 1234567", "Hotel: 1234567"),
        ("[Tel:1234567](https://a.org/)", '<a href="https://a.org/">Tel:1234567</a>'),
    ],
)
def test_telephone_numbers_of_the_contact_become_links(written, linked):
    assert write(written, phones=True) == f"<p>{linked}</p>"
    assert 'href="tel:' not in write(written)


def test_rendering_leaves_the_shared_tokens_as_they_are():
    stream = tokens("# a\n\n![x](y) [z](w)")
    before = copy.deepcopy(stream)
    markup(stream, Links(PAGE, phones=True))
    assert stream == before


@given(st.text(st.sampled_from("<>&\"'ab /=!-`[]()*") | st.characters(codec="utf-8")))
def test_no_text_ever_becomes_active_markup(body):
    if refused(body):
        return
    tags = "p h3 h4 h5 h6 ul ol li blockquote pre code em strong a img br hr"
    allowed = {*tags.split(" "), "table", "thead", "tbody", "tr", "th", "td", "div"}
    for element in lxml_html.fragment_fromstring(
        write(body), create_parent="div"
    ).iter():
        assert element.tag in allowed
        assert set(element.attrib) <= {"href", "title", "src", "alt", "start"}
