from __future__ import annotations

import pytest

from distributor.render import renditions
from distributor.render.content import content_of
from distributor.render.templates import Templates, builtin_templates
from tests.fakes.newsletters import BRAND, wic_issue

STYLES = """() => [...document.body.querySelectorAll('*')].map(e => {
    const s = getComputedStyle(e);
    const box = e.getBoundingClientRect();
    const all = [...s].map(p => `${p}:${s.getPropertyValue(p)}`).join(';');
    return [e.tagName, Math.round(box.x), Math.round(box.y), all].join('|');
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 600, 1000])
@pytest.mark.parametrize("name", ["email", "page"])
def test_nothing_is_wider_than_the_window(show, name, width, scheme):
    overflow = show(name, width, scheme).evaluate(
        "() => document.documentElement.scrollWidth - innerWidth"
    )
    assert overflow <= 0


def test_the_email_is_never_wider_than_six_hundred(show):
    widths = show("email", 1200).evaluate(
        "() => [...document.querySelectorAll('.sheet')].map(e => e.offsetWidth)"
    )
    assert widths == [600]


@pytest.mark.parametrize("name", ["email", "page"])
def test_links_of_the_contents_scroll_to_their_articles(show, name):
    page = show(name, 600)
    link = page.locator("ol a").nth(7)
    target = link.get_attribute("href")
    page.emulate_media(reduced_motion="reduce")
    link.click()
    top = page.locator(f"[id='{target[1:]}']").bounding_box()["y"]
    assert 0 <= top < 900
    assert page.evaluate("() => scrollY") > 500


def test_the_preheader_is_not_seen(show):
    assert not show("email", 600).locator("div[aria-hidden]").first.is_visible()


def test_dark_is_dark_and_light_is_light(show):
    ground = "() => getComputedStyle(document.querySelector('.sheet, main'))"
    ground += ".backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    for name in ("email", "page"):
        assert min(show(name, 600, "light").evaluate(ground)) > 230
        assert max(show(name, 600, "dark").evaluate(ground)) < 60


@pytest.mark.parametrize(("width", "scheme"), [(375, "light"), (800, "dark")])
def test_inlining_changes_nothing_that_can_be_seen(show, width, scheme):
    templates = Templates([builtin_templates()])
    content = content_of(wic_issue(), BRAND)
    names = ("unsubscribe", "preferences", "view", "name", "address", "list")
    facts = renditions._facts(content) | renditions._markup(content, anchored=True)
    facts["slots"] = {n: f"slot-{content.digest[:16]}-{n}" for n in names}
    source = templates.html("email.html.j2", facts)
    finished = renditions.render(wic_issue(), BRAND, templates).email_html
    before = show(source, width, scheme).evaluate(STYLES)
    after = show(finished, width, scheme).evaluate(STYLES)
    assert len(before) == len(after) > 100
    assert before == after


def test_the_page_prints_without_its_navigation(show):
    page = show("page", 800)
    page.emulate_media(media="print")
    assert not page.locator("nav.contents").is_visible()
    assert page.locator("h1").is_visible()
