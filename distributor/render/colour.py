"""Colours that stay readable: contrast as WCAG 2.2 defines it (§1.4.3)."""

from __future__ import annotations

import re

from distributor.errors import ConfigError

READABLE = 4.5
_STEPS = 64
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


def readable(colour: str, background: str) -> str:
    """The colour, lightened or darkened just so far that it reads on a background.

    Args:
        colour: `#rrggbb`.
        background: `#rrggbb`.

    Raises:
        ConfigError: If the colour is not written like that.
    """
    start = _rgb(colour)
    goal = 1.0 if _luminance(_rgb(background)) < 0.18 else 0.0
    mixes = (
        _hex(tuple(part + (goal - part) * step / _STEPS for part in start))
        for step in range(_STEPS + 1)
    )
    return next(mixed for mixed in mixes if contrast(mixed, background) >= READABLE)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two `#rrggbb` colours, 1 to 21."""
    darker, lighter = sorted((_luminance(_rgb(one)), _luminance(_rgb(other))))
    return (lighter + 0.05) / (darker + 0.05)


def _rgb(colour: str) -> tuple[float, ...]:
    if not _HEX.fullmatch(colour):
        message = f"the accent colour '{colour}' must be written like #0b5cad"
        raise ConfigError(message)
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _hex(rgb: tuple[float, ...]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in rgb)


def _luminance(rgb: tuple[float, ...]) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in rgb
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
