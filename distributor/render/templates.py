"""Jinja2 templates: a workspace's own first, then those that came with the product.

Content is data, never a template. HTML is escaped, text is not; a name that does not
exist is an error; templates run in a sandbox, since staff edit them.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

import distributor
from distributor.errors import TemplateError
from distributor.render.lines import item, paragraph, underlined

# What an expression of a template can raise; all else is a bug of ours.
_RAISED = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def builtin_templates() -> Path:
    """The templates of the product: inside the installed package, else the checkout."""
    package = Path(distributor.__file__).parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


class Templates:
    """Loads and caches templates; safe to share and to keep for a process's life."""

    def __init__(self, directories: Sequence[Path]) -> None:
        """Look in `directories` in order; one that does not exist is passed over."""
        self._directories = tuple(path.resolve() for path in directories)
        self._html = self._environment(escaped=True)
        self._text = self._environment(escaped=False)

    def html(self, name: str, facts: Mapping[str, object]) -> str:
        """Render an HTML template; every text in `facts` is escaped unless Markup.

        Raises:
            TemplateError: Naming the file and line.
        """
        return self._render(self._html, name, facts)

    def text(self, name: str, facts: Mapping[str, object]) -> str:
        """Render a plain-text template; nothing is escaped (raises as `html`)."""
        return self._render(self._text, name, facts)

    def _environment(self, *, escaped: bool) -> jinja2.Environment:
        environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader(self._directories),
            autoescape=escaped,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.filters["underlined"] = underlined
        environment.filters["wrapped"] = paragraph
        environment.filters["item"] = item
        return environment

    def _render(
        self, environment: jinja2.Environment, name: str, facts: Mapping[str, object]
    ) -> str:
        try:
            return environment.get_template(name).render(facts)
        except _RAISED as error:
            raise TemplateError(self._explained(error, name)) from error

    def _explained(self, error: Exception, name: str) -> str:
        """File, line, what is wrong, what to do."""
        remedy = "correct it, or remove the file to get the built-in template back"
        if isinstance(error, jinja2.TemplateSyntaxError):
            where = f"{error.filename or name}, line {error.lineno}"
            return f"{where}: {error.message}; {remedy}"
        where = self._place(error) or name
        if isinstance(error, jinja2.TemplateNotFound):
            folders = " or ".join(str(path) for path in self._directories)
            return f"{where}: there is no template '{error.name}' in {folders}"
        return f"{where}: {error}; {remedy}"

    def _place(self, error: Exception) -> str:
        """The innermost line of a template that took part in an error, or ""."""
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if any(Path(frame.filename).is_relative_to(d) for d in self._directories):
                return f"{frame.filename}, line {frame.lineno}"
        return ""
