"""Issue files: YAML front matter between `---` lines, then Markdown.

    ---
    title: WIC News 7
    number: 7
    date: 2023-06-30T09:00:00+08:00
    language: en
    base_url: https://news.example.org
    contact: |
      Contact: Member Affairs Department
    ---

    ## The first headline

    Its text, in Markdown.

`subject` (else the title), `preheader` and `contact` (Markdown, the footer of the
issue) may be left out. Every value is text first and typed by `facts`; YAML's own
guesses, aliases, tags and nesting have no part in it.
"""

from __future__ import annotations

import yaml

from distributor.articles import read_articles
from distributor.characters import refused, unified
from distributor.errors import ContentError, Problem
from distributor.facts import check_slug, read_facts
from distributor.issue import Issue

LONGEST_FILE = 2_000_000
LONGEST_FRONT_MATTER = 64_000
_FENCE = "---"
_STRING = "tag:yaml.org,2002:str"


def parse_issue(text: str, *, source: str, slug: str) -> Issue:
    """Read an issue file.

    Args:
        text: The whole file, decoded.
        source: The file's name as the person gave it, for messages.
        slug: Name of the issue (the file's stem).

    Raises:
        ContentError: With every problem found, in the order of their lines.
    """
    text = unified(text)
    problems = check_slug(slug)
    if len(text) > LONGEST_FILE:
        message = f"{len(text):,} characters; an issue may have {LONGEST_FILE:,}"
        raise ContentError(source, [Problem(None, message)])
    problems += refused(text)
    if problems:
        raise ContentError(source, problems)
    head, body, first_line = _divided(text, source)
    given = _mapping(head, problems)
    problems += _hidden_controls(given)
    facts = read_facts(given, problems)
    articles = read_articles(body, first_line=first_line, problems=problems)
    if problems:
        raise ContentError(source, sorted(problems, key=lambda p: p.line or 0))
    return Issue(slug=slug, articles=articles, **{"preheader": "", **facts})


def write_issue(issue: Issue) -> str:
    """The file that `parse_issue` reads back as the same issue."""
    facts = {
        "title": issue.title,
        "subject": issue.subject,
        "number": str(issue.number),
        "date": issue.date.isoformat(),
        "language": issue.language,
        "base_url": issue.base_url,
        "preheader": issue.preheader,
        "contact": issue.contact + "\n" if issue.contact else "",
    }
    head = _yaml({key: value for key, value in facts.items() if value})
    articles = [f"## {article.title}\n\n{article.body}\n" for article in issue.articles]
    return f"{_FENCE}\n{head}{_FENCE}\n\n" + "\n".join(articles)


def _divided(text: str, source: str) -> tuple[str, str, int]:
    """Front matter, body, and the line of the file on which the body begins."""
    lines = text.split("\n")
    opening = lines[0].rstrip()
    if opening != _FENCE:
        raise ContentError(source, [Problem(1, _opening_message(opening))])
    for index, line in enumerate(lines[1:], start=1):
        if line.rstrip() == _FENCE:
            head, body = lines[1:index], lines[index + 1 :]
            return "\n".join(head), "\n".join(body), index + 2
    message = "the front matter is never closed; end it with a line '---'"
    raise ContentError(source, [Problem(1, message)])


def _opening_message(opening: str) -> str:
    if opening == "+++":
        return "front matter is YAML here, not TOML; begin and end it with '---'"
    return "there is no front matter; the first line must be '---'"


def _mapping(head: str, problems: list[Problem]) -> dict[str, tuple[int | None, str]]:
    """Key -> (line in the file, text), read from YAML without any typing."""
    if len(head) > LONGEST_FRONT_MATTER:
        problems.append(Problem(1, "the front matter is longer than 64,000 characters"))
        return {}
    try:
        refusals = _refusals(head)
        node = None if refusals else yaml.compose(head, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        problems.append(_syntax_problem(error))
        return {}
    problems += refusals
    return _pairs(node, problems)


def _refusals(head: str) -> list[Problem]:
    """Aliases, anchors, tags and nesting, found before a tree is built of them."""
    found, depth = [], 0
    for event in yaml.parse(head, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 2 if event.start_mark else 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        nested = isinstance(event, yaml.CollectionStartEvent) and depth == 2
        if nested:
            found.append(Problem(line, "a list or mapping; write plain text after ':'"))
        if getattr(event, "anchor", None) or getattr(event, "tag", None):
            found.append(Problem(line, "YAML anchors, aliases and tags are refused"))
    return found


def _pairs(
    node: yaml.Node | None, problems: list[Problem]
) -> dict[str, tuple[int | None, str]]:
    """The scalars of the top mapping; the second of two equal keys is a problem."""
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        problems.append(Problem(2, "the front matter must be lines of 'key: value'"))
        return {}
    pairs: dict[str, tuple[int | None, str]] = {}
    for key, value in node.value:
        line = key.start_mark.line + 2
        if key.value in pairs:
            first = pairs[key.value][0]
            message = f"'{key.value}' was already given at line {first}; remove one"
            problems.append(Problem(line, message))
        pairs.setdefault(key.value, (line, value.value))
    return pairs


def _hidden_controls(given: dict[str, tuple[int | None, str]]) -> list[Problem]:
    """Controls that a YAML escape (backslash, x, 0, 7) brought in past `refused`."""
    return [
        Problem(line, f"{key}: {problem.message}")
        for key, (line, value) in given.items()
        for problem in refused(value)
    ]


def _syntax_problem(error: yaml.MarkedYAMLError) -> Problem:
    line = error.problem_mark.line + 2 if error.problem_mark else 1
    message = f"not valid YAML ({error.problem}); a value with ': ' or '#' needs quotes"
    return Problem(line, message)


def _yaml(values: dict[str, str]) -> str:
    """A block mapping; literal blocks for texts of several lines."""
    pairs = [
        (_scalar(key), _scalar(value, bare=key in {"number", "date"}))
        for key, value in values.items()
    ]
    node = yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)
    return yaml.serialize(node, width=float("inf"), allow_unicode=True)


def _scalar(value: str, *, bare: bool = False) -> yaml.ScalarNode:
    """A string, quoted where other YAML programs would see none; `bare`: never."""
    tag = _STRING
    if bare:
        resolver = yaml.resolver.Resolver()
        tag = resolver.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
    return yaml.ScalarNode(tag, value, style="|" if "\n" in value else None)
