"""Markdown tokens -> plain text, wrapped; links are numbered under each article."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from distributor.render.content import absolute
from distributor.render.lines import WIDTH, columns, indented, plain, wrap

_NARROWEST = 24


class TextWriter:
    """Writes the texts of one issue; link numbers run through all of it."""

    def __init__(self, page_url: str) -> None:
        """Relative links are relative to `page_url`."""
        self._page_url = page_url
        self._numbers: dict[str, int] = {}

    def write(self, stream: Sequence[Token]) -> str:
        """One article: blocks with a blank line between, then its numbered links."""
        known = len(self._numbers)
        root = SyntaxTreeNode(list(stream))
        blocks = [self._block(node, WIDTH) for node in root.children]
        fresh = list(self._numbers.items())[known:]
        if fresh:
            blocks.append("\n".join(_link_line(n, url) for url, n in fresh))
        return "\n\n".join(block for block in blocks if block)

    def _block(self, node: SyntaxTreeNode, width: int) -> str:
        """One block as lines of at most `width` columns."""
        width = max(width, _NARROWEST)
        if node.type in {"fence", "code_block"}:
            return indented(plain(node.content).rstrip("\n"), "    ", "    ")
        if node.type == "hr":
            return "* * *"
        if node.type in {"bullet_list", "ordered_list"}:
            return self._list(node, width)
        if node.type == "blockquote":
            return indented(self._blocks(node, width - 2), "> ", "> ")
        if node.type == "table":
            return self._table(node, width)
        return self._paragraph(node, width)

    def _blocks(self, node: SyntaxTreeNode, width: int, gap: str = "\n\n") -> str:
        return gap.join(self._block(child, width) for child in node.children)

    def _paragraph(self, node: SyntaxTreeNode, width: int) -> str:
        text = "".join(self._inline(child) for child in node.children)
        return "\n".join(
            line for part in text.split("\n") for line in wrap(part, width)
        )

    def _list(self, node: SyntaxTreeNode, width: int) -> str:
        """Items under `*` or their numbers; tight lists have no blank lines."""
        tight = _is_tight(node)
        first = int(str(node.attrs.get("start", 1)))
        items = []
        for number, item in enumerate(node.children, start=first):
            mark = f"{number}. " if node.type == "ordered_list" else "* "
            body = self._blocks(item, width - len(mark), "\n" if tight else "\n\n")
            items.append(indented(body, mark, " " * len(mark)).rstrip())
        return ("\n" if tight else "\n\n").join(items)

    def _table(self, node: SyntaxTreeNode, width: int) -> str:
        """Rows as `a | b | c`: no drawing that a narrow screen would tear apart."""
        rows = []
        for row in (row for part in node.children for row in part.children):
            cells = [
                "".join(self._inline(x) for x in cell.children) for cell in row.children
            ]
            rows += wrap(" | ".join(cells), width)
        return "\n".join(rows)

    def _inline(self, node: SyntaxTreeNode) -> str:
        """Text without marks of emphasis; a hard break is a line end."""
        if node.type in {"text", "code_inline"}:
            return plain(node.content)
        if node.type == "softbreak":
            return " "
        if node.type == "hardbreak":
            return "\n"
        inner = "".join(self._inline(child) for child in node.children)
        if node.type == "image":
            return self._referred(f"[Image: {inner}]", str(node.attrs.get("src", "")))
        if node.type == "link":
            return self._referred(inner, str(node.attrs.get("href", "")))
        return inner

    def _referred(self, shown: str, written: str) -> str:
        """The text with the number of its link, unless it shows its own target."""
        target = absolute(written, self._page_url)
        if not target or shown in {written, target, target.removeprefix("mailto:")}:
            return shown
        number = self._numbers.setdefault(target, len(self._numbers) + 1)
        return f"{shown} [{number}]"


def _is_tight(node: SyntaxTreeNode) -> bool:
    """CommonMark hides the paragraphs of tight lists."""
    inside = [child for item in node.children for child in item.children]
    return all(child.hidden for child in inside if child.type == "paragraph")


def _link_line(number: int, url: str) -> str:
    """`[1] URL`; a URL too long for that stands on a line of its own."""
    line = f"[{number}] {url}"
    return line if columns(line) <= WIDTH else f"[{number}]\n{url}"
