"""`distributor issue …`: import, check, render, preview, publish, list."""

from __future__ import annotations

import tempfile
import uuid
import webbrowser
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import typer

from distributor.cli.output import counted, iso, local, print_json, print_table, say
from distributor.cli.workspace import Workspace, now, read_text, workspace_of
from distributor.config import Settings
from distributor.errors import DistributorError, RefusedError
from distributor.frontmatter import parse_issue, write_issue
from distributor.issue import Issue, page_url
from distributor.plaintext import issue_from_text
from distributor.publish import (
    draft_entry,
    mint_feed_id,
    newsletter_feed,
    publish,
    save_issue,
)
from distributor.render.feed import Feed, atom, json_feed, rss
from distributor.render.renditions import Renditions
from distributor.sending.sample import sample_message, sample_parts
from distributor.storage import issues as stored_issues
from distributor.storage.database import reading, writing

Value = TypeVar("Value")

app = typer.Typer(
    no_args_is_help=True, help="Import, check, render and publish issues."
)


@app.command("import")
def import_issue(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="Plain text, or Markdown with front matter.")
    ],
    slug: Annotated[
        str | None, typer.Option(help="Name in commands and URLs (default: file name).")
    ] = None,
    number: Annotated[int | None, typer.Option(help="Number of the issue.")] = None,
    date: Annotated[
        str | None,
        typer.Option(help="Date, like 2023-06-30 or 2023-06-30T09:00+08:00."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language tag (default: the newsletter's).")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Public site (default: the newsletter's).")
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="Title (default: name and number).")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Subject (default: the title).")
    ] = None,
    replace_it: Annotated[
        bool, typer.Option("--replace", help="Overwrite an issue that differs.")
    ] = False,
) -> None:
    """Brings an issue into the workspace, as issues/SLUG.md.

    A plain-text newsletter becomes Markdown word for word; its number and date are
    not in the text, so give them. Importing the same again changes nothing.
    """
    workspace = workspace_of(context)
    text = read_text(file)
    slug = slug or _slug_of(file)
    if text.startswith("---"):
        _refuse_facts(number=number, date=date, title=title, subject=subject)
        issue = parse_issue(text, source=file.name, slug=slug)
        written = text
    else:
        settings = workspace.settings
        issue = issue_from_text(
            text,
            slug=slug,
            number=_needed(number, "--number", "7"),
            date=_moment(_needed(date, "--date", "2023-06-30"), settings),
            language=language or settings.language,
            base_url=base_url or settings.base_url,
        )
        issue = replace(
            issue,
            title=title or issue.title,
            subject=subject or title or issue.subject,
        )
        written = write_issue(issue)
        parse_issue(written, source=f"{slug}.md", slug=slug)
    _keep(workspace.issue_path(slug), written, replace_it=replace_it)
    articles = counted(len(issue.articles), "article")
    say(f"{slug}: {articles}, {workspace.issue_path(slug)}")
    say(f"Next: distributor issue check {slug}")


def _slug_of(file: Path) -> str:
    slug = "".join(c if c.isascii() and c.isalnum() else "-" for c in file.stem.lower())
    slug = "-".join(part for part in slug.split("-") if part)
    if not slug:
        raise typer.BadParameter(f"{file.name} gives no name: add --slug NAME")
    return slug


def _needed(value: Value | None, option: str, example: str) -> Value:
    if value is None:
        raise RefusedError(
            f"a plain-text newsletter does not say it: add {option}, "
            f"for example {option} {example}"
        )
    return value


def _refuse_facts(**options: object) -> None:
    given = [f"--{name}" for name, value in options.items() if value is not None]
    if given:
        raise RefusedError(
            f"{', '.join(given)}: a Markdown issue says this in its front matter; "
            "change it there"
        )


def _moment(text: str, settings: Settings) -> datetime:
    """A date alone means 09:00 in the newsletter's time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusedError(
            f"--date {text}: write it like 2023-06-30 or 2023-06-30T09:00+08:00"
        ) from error
    if len(text) <= len("2023-06-30"):
        moment = moment.replace(hour=9)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(settings.time_zone))
    return moment


def _keep(path: Path, written: str, *, replace_it: bool) -> None:
    if path.exists() and path.read_text(encoding="utf-8") == written:
        say("Already imported; nothing changed.")
        return
    if path.exists() and not replace_it:
        raise RefusedError(
            f"{path} exists and is different: add --replace to overwrite it, "
            "or --slug NAME to keep both"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".md.new")
    temporary.write_text(written, encoding="utf-8")
    temporary.replace(path)


@app.command()
def check(context: typer.Context, slug: str) -> None:
    """Says everything that is wrong with an issue, with its line; changes nothing."""
    issue, renditions = workspace_of(context).rendered(slug)
    size = len(renditions.email_html.encode())
    say(
        f"{slug}: {issue.title}, {counted(len(issue.articles), 'article')}, "
        f"email {size / 1000:.1f} kB of the 102 kB that Gmail shows. No problems found."
    )


@app.command()
def render(
    context: typer.Context,
    slug: str,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")],
) -> None:
    """Writes every rendition into a folder: email, text, page and feeds."""
    workspace = workspace_of(context)
    issue, renditions = workspace.rendered(slug)
    say("\n".join(str(path) for path in write_files(workspace, issue, renditions, out)))


def write_files(
    workspace: Workspace, issue: Issue, renditions: Renditions, out: Path
) -> list[Path]:
    """The files of `issue render`; returns their paths."""
    html, text = sample_parts(workspace.settings, issue, renditions)
    feed = _feed(workspace, issue, renditions)
    files = {
        "email.html": html.encode(),
        "email.txt": text.encode(),
        "email.eml": sample_message(workspace.settings, issue, renditions),
        "web.html": renditions.web.encode(),
        "feed.rss": rss(feed),
        "feed.atom": atom(feed),
        "feed.json": json_feed(feed),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    return [out / name for name in files]


def _feed(workspace: Workspace, issue: Issue, renditions: Renditions) -> Feed:
    """The newsletter's feed as it is; with this issue in it if it is not yet there."""
    settings = workspace.settings
    with reading(workspace.engine) as connection:
        stored = stored_issues.find(connection, issue.slug)
        feed = newsletter_feed(
            connection, settings.brand, settings.base_url, language=settings.language
        )
    if stored is None or stored.published_at is None:
        entry = draft_entry(issue, renditions, settings.base_url)
        feed = replace(feed, entries=(entry, *feed.entries))
    return feed


@app.command()
def preview(
    context: typer.Context,
    slug: str,
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open it in a browser.")
    ] = True,
) -> None:
    """Shows the email as a subscriber will see it, in a browser."""
    workspace = workspace_of(context)
    issue, renditions = workspace.rendered(slug)
    folder = Path(tempfile.mkdtemp(prefix=f"{issue.slug}-"))
    paths = write_files(workspace, issue, renditions, folder)
    email = next(path for path in paths if path.name == "email.html")
    if not open_it or not webbrowser.open(email.as_uri()):
        say(f"Open {email.as_uri()}")


@app.command("publish")
def publish_issue(context: typer.Context, slug: str) -> None:
    """Makes an issue visible on the web page and in the feeds."""
    workspace = workspace_of(context)
    publish_now(workspace, slug)
    say(f"Published {page_url(workspace.settings.base_url, slug)}")


def publish_now(workspace: Workspace, slug: str) -> stored_issues.StoredIssue:
    """Saves and publishes; the same again changes nothing."""
    issue, renditions = workspace.rendered(slug)
    with writing(workspace.engine) as connection:
        save(workspace, connection, issue, renditions)
        return publish(connection, issue.slug, now())


def save(
    workspace: Workspace,
    connection: sa.Connection,
    issue: Issue,
    renditions: Renditions,
) -> stored_issues.StoredIssue:
    """Stores an issue and its renditions."""
    feed_id = mint_feed_id(workspace.settings.base_url, issue.date, str(uuid.uuid4()))
    return save_issue(connection, issue, renditions, feed_id=feed_id, now=now())


@app.command("list")
def list_issues(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Lists the issues of the workspace, and what became of them."""
    workspace = workspace_of(context)
    with reading(workspace.engine) as connection:
        stored = {issue.slug: issue for issue in stored_issues.all_issues(connection)}
    slugs = {path.stem for path in workspace.settings.issues_dir.glob("*.md")}
    rows = [
        _listed(workspace, slug, stored.get(slug))
        for slug in sorted(slugs | set(stored))
    ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("No issues yet: distributor issue import FILE")
        return
    zone = workspace.settings.time_zone
    print_table(
        ["issue", "title", "published"],
        [
            (r["slug"], r["title"], local(_parsed(r["published_at"]), zone))
            for r in rows
        ],
    )


def _listed(
    workspace: Workspace, slug: str, stored: stored_issues.StoredIssue | None
) -> dict[str, str | None]:
    try:
        title = stored.title if stored else workspace.issue(slug).title
    except DistributorError:
        title = "(has problems: distributor issue check)"
    return {
        "slug": slug,
        "title": title,
        "published_at": iso(stored.published_at) if stored else None,
    }


def _parsed(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
