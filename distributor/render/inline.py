"""CSS moved into style attributes by premailer, in the one way that is safe.

premailer 3.10 is no longer maintained. Left to itself it fetches URLs and reads local
files, drops dark-mode rules, re-encodes links and is not thread-safe; what is set here
turns each of these off, and what comes out is checked.
"""

from __future__ import annotations

import logging
import re
import threading

import cssutils.util
from premailer import Premailer

from distributor.errors import TemplateError


def _fetch_nothing(_url: str) -> None:
    """Stand in for the fetcher of cssutils, which follows @import anywhere."""


cssutils.util._defaultFetcher = _fetch_nothing  # noqa: SLF001 - it has no other switch
_LOCK = threading.Lock()
_STYLE = re.compile(r"<style[^>]*>(.*?)</style", re.DOTALL | re.IGNORECASE)
_DARK = re.compile(r"<style[^>]*>[^<]*prefers-color-scheme:\s*dark")


def inlined(html: str, *, template: str) -> str:
    """Inline the `<style>` blocks of a whole document, except those to be ignored.

    Blocks marked `data-premailer="ignore"` (media queries, dark mode) are kept as they
    are. Takes 5 ms for a newsletter; call it once per issue, never per recipient.

    Args:
        html: A rendered document of our own template.
        template: Name of the template, for messages.

    Raises:
        TemplateError: If its CSS cannot be inlined, or the result could load or miss
            something.
    """
    _check(html, template)
    try:
        with _LOCK:
            result: str = _premailer(html).transform(pretty_print=False)
    except (AttributeError, TypeError, ValueError) as error:
        message = (
            f"{template}: its CSS cannot be inlined ({error}); move @-rules into a "
            '<style data-premailer="ignore"> block, and keep the rest simple'
        )
        raise TemplateError(message) from error
    if not _DARK.search(result):
        message = (
            f"{template}: no dark colours are left; put them into a "
            '<style data-premailer="ignore"> block'
        )
        raise TemplateError(message)
    return result


def _premailer(html: str) -> Premailer:
    return Premailer(
        html,
        allow_network=False,
        allow_loading_external_files=False,
        disable_validation=True,
        strip_important=False,
        keep_style_tags=False,
        align_floating_images=False,
        disable_basic_attributes=["width", "height", "align", "valign"],
        cssutils_logging_level=logging.CRITICAL,
    )


def _check(html: str, template: str) -> None:
    """Nothing that a mail program or cssutils would fetch, nothing left unresolved.

    Text may hold any of these signs: there `<` is escaped, and CSS is only in blocks.
    """
    css = "".join(_STYLE.findall(html)).lower()
    if "<link" in html.lower():
        found = "a <link>; put its CSS into a <style> block"
    elif "@import" in css:
        found = "an @import; put the CSS itself into the <style> block"
    elif "{{" in css:
        found = "a '{{' in its CSS that was never resolved; correct it"
    else:
        return
    raise TemplateError(f"{template}: it contains {found}")
