from __future__ import annotations

from pathlib import Path

import axe_playwright_python
import pytest

AXE = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")).read_text(
    encoding="utf-8"
)
# An email is shown inside a program's own page, which has the landmarks.
EMAIL_RULES = {"landmark-one-main": {"enabled": False}, "region": {"enabled": False}}


def violations(page, rules=None):
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(document, {rules})", rules or {})
    return [
        (v["id"], v["impact"], v["nodes"][0]["html"])
        for v in found["violations"]
        if v["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 600])
@pytest.mark.parametrize("name", ["email", "page"])
def test_axe_finds_nothing_serious(show, name, width, scheme):
    rules = EMAIL_RULES if name == "email" else {}
    assert violations(show(name, width, scheme), rules) == []


def test_axe_would_find_something(show):
    bad = (
        "<html><body><p style='color:#ccc;background:#fff'>hard to read</p><img src=x>"
    )
    assert {rule for rule, _, _ in violations(show(bad, 600))} >= {
        "color-contrast",
        "image-alt",
        "html-has-lang",
    }


@pytest.mark.parametrize("width", [320, 600])
@pytest.mark.parametrize("name", ["email", "page"])
def test_every_link_outside_sentences_can_be_hit_with_a_thumb(show, name, width):
    low = show(name, width).evaluate(
        """() => [...document.querySelectorAll('.tap, .jump, .contents a, .ways a')]
        .filter(a => a.getBoundingClientRect().height < 43.5).map(a => a.outerHTML)"""
    )
    assert low == []


@pytest.mark.parametrize("name", ["email", "page"])
def test_the_text_of_articles_has_at_least_sixteen_pixels(show, name):
    sizes = show(name, 320).evaluate(
        """() => [...document.querySelectorAll('.article p, .prose p, .jump')]
        .map(p => parseFloat(getComputedStyle(p).fontSize))"""
    )
    assert min(sizes) >= 16
