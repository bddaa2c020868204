"""A newsletter as plain text -> an issue, every word of it verbatim.

The first line is the newsletter's name. A headline is one short line without a final
stop, shorter than the block below it, with a blank line after it; what follows up to
the next headline are its paragraphs. A last block that begins with "Contact:" is the
contact footer. No-break spaces are kept: HTML shows them, the plain-text channel
writes ordinary spaces for them, so that its lines can wrap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from distributor.anchor import anchors
from distributor.articles import LONGEST_TITLE
from distributor.characters import refused, unified
from distributor.errors import ContentError, Problem
from distributor.facts import check_slug, read_facts
from distributor.frontmatter import LONGEST_FILE
from distributor.issue import Article, Issue

_FINAL_STOP = re.compile(r"[.。．｡,，、;；:：…][\"'”’»)）」』\]]*$")
_CONTACT = re.compile(r"(?i)(?:contacts?|contact us|kontakt|联系\w*|聯絡\w*)\s*[:：]")
# What CommonMark would take for markup, §§ 2.4, 2.5, 6: escaped wherever it could be.
_INLINE = re.compile(
    r"""\\(?=[!-/:-@\[-`{-~]|$)   # a backslash before punctuation or a line end
      | `
      | (?<!\s)\* | \*(?!\s|$)    # a star, unless spaces surround it
      | (?<![^\W_])_ | _(?![^\W_])  # an underscore, unless it is inside a word
      | \[ (?=[^\]]*\][(\[:])     # what could be a link or its definition
      | <(?=\S)
      | &(?=\#|[A-Za-z][A-Za-z0-9]*;)
    """,
    re.VERBOSE,
)
_LINE_START = re.compile(
    r"""(?: [>|=~] | \#{1,6}(?=\s|$) | [-+*](?=[\s\-:|*]|$)
        | :(?=[-:|\s]*$) | (?P<number>\d{1,9})(?=[.)](?:\s|$)) )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Block:
    """Lines between blank lines, stripped; `line` is that of the first, 1-based."""

    lines: tuple[str, ...]
    line: int

    @property
    def text(self) -> str:
        return " ".join(self.lines)


def issue_from_text(  # noqa: PLR0913 - facts that a plain text does not hold
    text: str,
    *,
    slug: str,
    number: int,
    date: datetime,
    language: str,
    base_url: str,
    title: str | None = None,
    subject: str | None = None,
    source: str | None = None,
) -> Issue:
    """Read a newsletter written as plain text.

    Args:
        text: The whole text, decoded.
        slug: Name of the issue.
        number: The issue's number, 1 and up.
        date: Aware datetime of the issue.
        language: BCP 47 tag.
        base_url: Address of the public site.
        title: The issue's title; else the text's first line and the number.
        subject: Subject of the email; else the title.
        source: Name of the file for messages; else the slug.

    Raises:
        ContentError: With everything wrong, in the text (with lines) or the options.
    """
    text = unified(text)
    source = source or slug
    if len(text) > LONGEST_FILE:
        message = f"{len(text):,} characters; an issue may have {LONGEST_FILE:,}"
        raise ContentError(source, [Problem(None, message)])
    problems = check_slug(slug) + refused(text)
    name, blocks = _named(_blocks(text))
    body, contact = _parted(blocks)
    articles = _articles(body, problems)
    given = {
        "title": title or f"{name} {number}",
        "number": str(number),
        "date": date.isoformat(),
        "language": language,
        "base_url": base_url,
    }
    if subject:
        given["subject"] = subject
    facts = read_facts({k: (None, v) for k, v in given.items()}, problems)
    if problems:
        raise ContentError(source, problems)
    footer = _markdown(contact)
    return Issue(slug=slug, articles=articles, preheader="", contact=footer, **facts)


def _blocks(text: str) -> list[_Block]:
    """Runs of lines that are not blank (a line of no-break spaces is blank)."""
    blocks: list[_Block] = []
    lines: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.strip():
            lines.append(line.strip())
        elif lines:
            blocks.append(_Block(tuple(lines), number - len(lines)))
            lines = []
    return blocks


def _named(blocks: list[_Block]) -> tuple[str, list[_Block]]:
    """The newsletter's name (the first line) and the blocks after it."""
    if not blocks:
        return "", []
    first, *rest = blocks
    if len(first.lines) > 1:
        rest.insert(0, _Block(first.lines[1:], first.line + 1))
    return first.lines[0], rest


def _parted(blocks: list[_Block]) -> tuple[list[_Block], list[_Block]]:
    """Articles, and the contact footer: the last "Contact:" and what follows it."""
    for index in range(len(blocks) - 1, -1, -1):
        if _is_headline(blocks, index):
            break
        if _CONTACT.match(blocks[index].text):
            return blocks[:index], blocks[index:]
    return blocks, []


def _is_headline(blocks: list[_Block], index: int) -> bool:
    """One line, no final stop, shorter than the block below it."""
    block = blocks[index]
    return (
        len(block.lines) == 1
        and index + 1 < len(blocks)
        and len(block.text) < min(len(blocks[index + 1].text), LONGEST_TITLE)
        and not _FINAL_STOP.search(block.text)
    )


def _articles(blocks: list[_Block], problems: list[Problem]) -> tuple[Article, ...]:
    """Headlines with their paragraphs; what does not fit is a problem with its line."""
    heads = [index for index in range(len(blocks)) if _is_headline(blocks, index)]
    problems += _shape_problems(blocks, heads)
    drafts = [
        (blocks[start], _markdown(blocks[start + 1 : end]))
        for start, end in zip(heads, [*heads, len(blocks)][1:], strict=True)
    ]
    names = anchors(head.text for head, _ in drafts)
    return tuple(
        Article(title=head.text, anchor=name, body=body, line=head.line)
        for (head, body), name in zip(drafts, names, strict=True)
    )


def _shape_problems(blocks: list[_Block], heads: list[int]) -> list[Problem]:
    """Text without a headline, headlines without text, and equal headlines."""
    if not heads:
        message = (
            "no articles were recognised; after the newsletter's name, each needs a "
            "headline (one short line without a full stop), a blank line, and its text"
        )
        return [Problem(blocks[0].line if blocks else None, message)]
    found = []
    if heads[0] > 0:
        message = "text before the first headline; give it a headline of its own"
        found.append(Problem(blocks[0].line, message))
    seen: dict[str, int] = {}
    for index in heads:
        found += _bare(blocks[index]) if index + 1 in heads else []
        found += _repeated(blocks[index], seen)
    return found


def _bare(head: _Block) -> list[Problem]:
    message = (
        f"'{head.text}' looks like a headline without text; write text under it, "
        "or end it with a full stop if it is a paragraph"
    )
    return [Problem(head.line, message)]


def _repeated(head: _Block, seen: dict[str, int]) -> list[Problem]:
    """Whether the headline stood above already; `seen`: title -> its first line."""
    found = []
    first = seen.setdefault(" ".join(head.text.casefold().split()), head.line)
    if first != head.line:
        message = (
            f"the headline '{head.text}' was already used at line {first}; "
            "give one of the two articles another"
        )
        found.append(Problem(head.line, message))
    return found


def _markdown(blocks: list[_Block]) -> str:
    """Markdown that shows exactly these paragraphs."""
    return "\n\n".join("\n".join(map(_escaped, block.lines)) for block in blocks)


def _escaped(line: str) -> str:
    """The line with a backslash wherever CommonMark would see markup."""
    line = _INLINE.sub(r"\\\g<0>", line)
    start = _LINE_START.match(line)
    if start is None:
        return line
    end = start.end("number") if start["number"] else 0
    return f"{line[:end]}\\{line[end:]}"
