from __future__ import annotations

import pytest
from markupsafe import Markup

from distributor.errors import TemplateError
from distributor.render.templates import Templates, builtin_templates


@pytest.fixture
def write(tmp_path):
    def make(text, name="x.j2", folder="own"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(text, encoding="utf-8")
        return Templates([tmp_path / "own", tmp_path / "built-in"])

    return make


def test_html_is_escaped_and_text_is_not(write):
    templates = write("{{ a }} {{ b }}")
    facts = {"a": "<&>", "b": Markup("<b>")}
    assert templates.html("x.j2", facts) == "&lt;&amp;&gt; <b>"
    assert templates.text("x.j2", facts) == "<&> <b>"


def test_content_is_never_a_template(write):
    content = "{{ 7 * 7 }} {% raw %} {# x #}"
    assert write("{{ a }}").text("x.j2", {"a": content}) == content


def test_the_workspace_comes_first_and_may_be_missing(write):
    templates = write("built in", folder="built-in")
    assert templates.text("x.j2", {}) == "built in"
    assert write("own").text("x.j2", {}) == "own"


def test_filters_wrap_and_underline(write):
    templates = write("{{ a | wrapped }}|{{ 'T' | underlined }}|{{ 'i' | item(3) }}")
    assert templates.text("x.j2", {"a": "x " * 40}) == (
        "x " * 35 + "x\nx x x x|T\n-| 3. i"
    )


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a\n{% if %}", 2, "Expected an expression"),
        ("a\n\n{{ b", 3, "unexpected end"),
        ("a\n{{ nothing }}", 2, "'nothing' is undefined"),
        ("a\n{{ a.b }}", 2, "no attribute 'b'"),
        ("a\n{{ 1 / 0 }}", 2, "division by zero"),
        ("a\n{{ 1 + 'x' }}", 2, "unsupported operand"),
        ("a\n{{ ''.__class__ }}", 2, "unsafe"),
        ("a\n{{ a.append(1) }}", 2, "is unsafe"),
    ],
)
def test_a_broken_template_is_named_with_file_and_line(write, text, line, says):
    templates = write(text)
    with pytest.raises(TemplateError) as raised:
        templates.html("x.j2", {"a": []})
    message = str(raised.value)
    assert f"own/x.j2, line {line}: " in message
    assert says in message
    assert message.endswith("or remove the file to get the built-in template back")


def test_a_missing_template_is_named_with_where_it_was_looked_for(write):
    with pytest.raises(TemplateError, match=r"no template 'y\.j2' in .*own or .*built"):
        write("x").html("y.j2", {})


def test_a_missing_include_is_named_with_the_line_that_wants_it(write):
    with pytest.raises(TemplateError, match=r"x\.j2, line 2: there is no template 'y'"):
        write("a\n{% include 'y' %}").html("x.j2", {})


def test_the_built_in_templates_are_found():
    names = {path.name for path in builtin_templates().iterdir()}
    assert {"email.html.j2", "email.txt.j2", "feed.html.j2", "page.html.j2"} <= names
    assert (builtin_templates() / "static" / "style.css").is_file()
