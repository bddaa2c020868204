"""Every error a person can meet, in one tree; each says what to do about it.

The command line prints `str(error)` and exits 1. Nothing here holds secrets.
"""

from __future__ import annotations

from dataclasses import dataclass


class DistributorError(Exception):
    """Something a person can put right; `str()` is one helpful sentence."""


class ConfigError(DistributorError):
    """A setting is missing or makes no sense; names every bad setting at once."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a file.

    Attributes:
        line: 1-based line in the file, or None where no line applies.
        message: What is wrong and what would be right.
    """

    line: int | None
    message: str

    def __str__(self) -> str:
        """`line 3: what is wrong` (or only the message)."""
        return (
            self.message if self.line is None else f"line {self.line}: {self.message}"
        )


class ContentError(DistributorError):
    """An issue file cannot be used as it is; holds every problem found."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        """Keep the problems; `source` is the file's name as the person gave it."""
        self.source = source
        self.problems = problems
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))

    def __reduce__(self) -> tuple[type[ContentError], tuple[str, list[Problem]]]:
        """Pickle with both arguments (Exception would pickle only the text)."""
        return type(self), (self.source, self.problems)


class TemplateError(DistributorError):
    """A template is broken; the message names its file and line."""


class UnknownError(DistributorError):
    """A list, issue, send or address that does not exist was named."""


class RefusedError(DistributorError):
    """An action that makes no sense in the present state (nothing was changed)."""


class StorageError(DistributorError):
    """The database cannot be used: unreachable, from a newer version, read-only."""


class RelayError(DistributorError):
    """The SMTP relay cannot be used; it concerns us, never a recipient.

    Attributes:
        kind: "unreachable" (down, busy, silent: again later), "refused_login",
            "untrusted" (its certificate) or "refused" (it will not talk to us).
    """

    def __init__(self, message: str, kind: str = "unreachable") -> None:
        """Keep the kind beside the sentence."""
        self.kind = kind
        super().__init__(message)

    def __reduce__(self) -> tuple[type[RelayError], tuple[str, str]]:
        """Pickle with both arguments (Exception would pickle only the text)."""
        return type(self), (str(self), self.kind)
