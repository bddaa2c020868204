"""The body of an issue file: every `## Title` line begins an article."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from markdown_it.token import Token

from distributor.anchor import anchors
from distributor.errors import Problem
from distributor.issue import Article
from distributor.markdown import has_text, tokens

_GLUED = re.compile(r"##[^#\s]")
_FENCE_END = re.compile(r"[\s>]*(?:`{3,}|~{3,})\s*$")
LONGEST_TITLE = 1_000


@dataclass(frozen=True)
class _Draft:
    """An article before its anchor is known; `line` is 1-based in the file."""

    title: str
    body: str
    line: int


def read_articles(
    body: str, *, first_line: int, problems: list[Problem]
) -> tuple[Article, ...]:
    """Cut Markdown into articles; what is wrong is appended to `problems`.

    Args:
        body: Everything after the front matter, LF line ends.
        first_line: Line of the file on which `body` begins, 1-based.
        problems: Takes what is wrong, each with its line in the file.
    """
    lines = body.split("\n")
    stream = tokens(body)
    starts = [t.map[0] for t in stream if _begins_article(t) and t.map]
    problems += _structure_problems(stream, lines, first_line)
    problems += _preamble_problems(lines, starts, first_line)
    drafts = [
        _draft(lines[start:end], first_line + start)
        for start, end in zip(starts, [*starts, len(lines)][1:], strict=True)
    ]
    problems += _draft_problems(drafts)
    names = anchors(draft.title for draft in drafts)
    return tuple(
        Article(title=draft.title, anchor=name, body=draft.body, line=draft.line)
        for draft, name in zip(drafts, names, strict=True)
    )


def canonical(body: str) -> str:
    """The body without blank lines around it (indentation of the first line stays)."""
    lines = body.rstrip().split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    return "\n".join(lines)


def _begins_article(token: Token) -> bool:
    return token.type == "heading_open" and token.level == 0 and token.markup == "##"


def _draft(lines: list[str], line: int) -> _Draft:
    """The title is plain text: exactly what stands after `##`."""
    title = lines[0].strip().removeprefix("##").strip()
    return _Draft(title=title, body=canonical("\n".join(lines[1:])), line=line)


def _preamble_problems(
    lines: list[str], starts: list[int], first_line: int
) -> list[Problem]:
    """Text above the first headline belongs to no article."""
    if not starts:
        message = "there is no article; begin each with a line '## Title'"
        return [Problem(first_line, message)]
    for index, line in enumerate(lines[: starts[0]]):
        if line.strip():
            message = "text before the first article; put a line '## Title' above it"
            return [Problem(first_line + index, message)]
    return []


def _structure_problems(
    stream: Iterable[Token], lines: list[str], first_line: int
) -> list[Problem]:
    """Markdown that would silently swallow, split or outrank articles."""
    found = []
    for token in stream:
        if token.level == 0 and token.map:
            start, end = token.map
            message = _structure_message(token, lines[start:end])
            if message:
                found.append(Problem(first_line + start, message))
    return found


def _structure_message(token: Token, lines: list[str]) -> str:
    """What is wrong with one top-level block, or ""."""
    if token.type == "heading_open" and token.markup in {"#", "="}:
        return "a heading of the first level; write '## ' for an article, '### ' within"
    if token.type == "heading_open" and token.markup == "-":
        return (
            "text underlined with '---' is a heading; write '## Title' for an "
            "article, or put a blank line above '---' for a rule"
        )
    if token.type == "fence" and _never_closed(lines, token.markup):
        return "this code block is never closed; end it with a line of its own fence"
    if token.type == "paragraph_open" and any(_GLUED.match(x) for x in lines):
        return "put a space after '##' to begin an article, or write '\\##' for text"
    return ""


def _never_closed(lines: list[str], fence: str) -> bool:
    last = lines[-1].strip()
    return len(lines) < 2 or not (
        last.startswith(fence) and _FENCE_END.match(last) is not None
    )


def _draft_problems(drafts: list[_Draft]) -> list[Problem]:
    """What is wrong with titles and texts, each article named by its line."""
    first_seen: dict[str, int] = {}
    found = []
    for draft in drafts:
        key = " ".join(draft.title.casefold().split())
        found += [Problem(draft.line, message) for message in _messages(draft)]
        if key and key in first_seen:
            message = (
                f"the title '{draft.title}' was already used at line "
                f"{first_seen[key]}; give one of the two articles another title"
            )
            found.append(Problem(draft.line, message))
        first_seen.setdefault(key, draft.line)
    return found


def _messages(draft: _Draft) -> list[str]:
    if not draft.title:
        return ["an article without a title; write it after '## '"]
    messages = []
    if len(draft.title) > LONGEST_TITLE:
        messages.append(f"a title of {len(draft.title)} characters; keep it under 1000")
    if not has_text(draft.body):
        message = f"the article '{draft.title}' has no text; write some under it"
        messages.append(message)
    return messages
