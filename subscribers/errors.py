"""Every error of this package; `str()` of each is one sentence that helps."""
# ruff: noqa: N818  (the names say what is wrong; their base says that it is an error)

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subscribers.importing import ImportReport


class SubscribersError(Exception):
    """Something about people or lists that a person can put right."""


class InvalidAddress(SubscribersError):
    """A text that is no address we could mail; says why."""


class InvalidToken(SubscribersError):
    """A token that we did not make for this purpose; the same words for any cause."""

    def __init__(self) -> None:
        """Say nothing that would help a forger."""
        super().__init__("this link is not valid: please use the one in your email")


class InvalidKeys(SubscribersError):
    """Keys that no keyring can be made of; never shows one."""


class InvalidList(SubscribersError):
    """A new list cannot be made like this."""


class UnknownList(SubscribersError):
    """No list has this slug; names those that exist."""

    def __init__(self, slug: str, *, known: Sequence[str]) -> None:
        """`known` are the slugs of every list."""
        self.slug = slug
        self.known = list(known)
        super().__init__(f"there is no list {slug!r}: {_remedy(slug, self.known)}")

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle although an argument is keyword-only."""
        return _unknown_list, (self.slug, self.known)


def _unknown_list(slug: str, known: list[str]) -> UnknownList:
    return UnknownList(slug, known=known)


def _remedy(slug: str, known: list[str]) -> str:
    if not known:
        return "none exists yet; add one first"
    near = difflib.get_close_matches(slug, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    shown = ", ".join(known[:10])
    return f"there are {shown}" + (" and others" if len(known) > 10 else "")


class UnknownSubscriber(SubscribersError):
    """An address that nobody here has."""


class InvalidCsv(SubscribersError):
    """A file that cannot be read as a list of people at all; nothing was imported."""


class ImportRefused(SubscribersError):
    """Some rows were refused, so that none may stay: roll the transaction back.

    Attributes:
        report: What was found; every count except `added`, which is 0.
    """

    def __init__(self, report: ImportReport) -> None:
        """Name the first refused row, because often all share its reason."""
        self.report = report
        first = report.refusals[0]
        rows = "row was" if report.refused == 1 else "rows were"
        super().__init__(
            f"nothing was imported: {report.refused} {rows} refused, the first in "
            f"line {first.line} ({first.reason}); correct the file, or import only "
            "the good rows"
        )

    def __reduce__(self) -> tuple[type[ImportRefused], tuple[ImportReport]]:
        """Pickle with the report (Exception would pickle only the text)."""
        return type(self), (self.report,)
