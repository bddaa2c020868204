from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.errors import ConfigError
from distributor.render.colour import contrast, readable

_COLOURS = st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_a_readable_colour_stays_as_it_is():
    assert readable("#0b5cad", "#ffffff") == "#0b5cad"


@given(_COLOURS, _COLOURS)
def test_any_colour_is_made_readable_on_any_ground(colour, ground):
    assert contrast(readable(colour, ground), ground) >= 4.5


@pytest.mark.parametrize("bad", ["", "blue", "#12345", "#1234567", "#12345g", "red;x"])
def test_a_malformed_colour_is_named(bad):
    with pytest.raises(ConfigError, match="must be written like #0b5cad"):
        readable(bad, "#ffffff")
