"""`distributor init`: a new workspace, with secrets and a commented configuration."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from distributor.cli.output import say
from distributor.cli.workspace import Workspace
from distributor.config import CONFIG_NAME, SECRETS_NAME, load_here
from distributor.errors import ConfigError, RefusedError
from subscribers import generate_key


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(init)


def init(
    folder: Annotated[Path, typer.Argument(help="Where (default: here).")] = Path(),
    name: Annotated[
        str, typer.Option(help="Name of the newsletter.")
    ] = "My Newsletter",
    publisher: Annotated[str | None, typer.Option(help="Who publishes it.")] = None,
    base_url: Annotated[
        str, typer.Option(help="Public address of the web pages.")
    ] = "http://127.0.0.1:8000",
    sender: Annotated[
        str, typer.Option("--from", help="Visible sender address.")
    ] = "news@example.org",
    language: Annotated[str, typer.Option(help="Language tag.")] = "en",
    time_zone: Annotated[str, typer.Option(help="Like Europe/Berlin.")] = "UTC",
    postal_address: Annotated[
        str, typer.Option(help="One line; the law wants it in every mail.")
    ] = "Your street 1, 12345 Your town",
) -> None:
    """Starts a workspace: distributor.toml, secrets.toml and folders.

    Nothing that exists is overwritten.
    """
    if (folder / CONFIG_NAME).exists():
        raise RefusedError(
            f"{folder / CONFIG_NAME} exists already; nothing was changed"
        )
    values = {
        "NAME": name,
        "PUBLISHER": publisher or name,
        "BASE_URL": base_url,
        "FROM": sender,
        "LANGUAGE": language,
        "TIME_ZONE": time_zone,
        "POSTAL": postal_address,
    }
    create_workspace(folder, values)
    try:
        load_here(folder)
    except ConfigError:
        # Else the next `init`, with better values, would be refused.
        (folder / CONFIG_NAME).unlink()
        raise
    Workspace(folder).engine.dispose()
    say(
        f"A new workspace in {folder.resolve()}.\n"
        f"1. Look through {CONFIG_NAME}: sender, postal address, SMTP relay.\n"
        f"2. Keep {SECRETS_NAME} safe: every link in every mail depends on it.\n"
        "3. distributor issue import FILE --number 1 --date 2026-01-31"
    )


def create_workspace(folder: Path, values: dict[str, str]) -> None:
    """Writes the files of a new workspace; secrets first, readable by nobody else."""
    for name in ("issues", "templates", "var"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _write_secrets(folder / SECRETS_NAME)
    text = CONFIG_TEMPLATE
    for name, value in values.items():
        # A JSON string is a TOML string.
        text = text.replace(f"@{name}@", json.dumps(value, ensure_ascii=False))
    (folder / CONFIG_NAME).write_text(text, encoding="utf-8")
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text(f"{SECRETS_NAME}\nvar/\n", encoding="utf-8")


def _write_secrets(path: Path) -> None:
    if path.exists():
        return
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(
            "# Signs every link and return path. Lose it and links in old mail die;\n"
            "# publish it and anybody can unsubscribe anybody.\n"
            f'secret_keys = "a:{generate_key(secrets.token_bytes).hex()}"\n'
            "# Key of the address hashes of suppressions; it must never change.\n"
            f'address_pepper = "{secrets.token_hex(32)}"\n'
        )


CONFIG_TEMPLATE = """\
# Every setting can also come from the environment: smtp_url is DISTRIBUTOR_SMTP_URL.

# --- Who publishes ---
newsletter = @NAME@
publisher = @PUBLISHER@
description = ""
base_url = @BASE_URL@
language = @LANGUAGE@
time_zone = @TIME_ZONE@
postal_address = @POSTAL@
from_address = @FROM@
# reply_to = "editors@example.org"
# bounce_domain = "bounces.example.org"
# accent = "#0b5394"
# fallback_name = "reader"        # "Dear reader" where no name is known

# --- Where things are ---
# smtp_url = "smtp+starttls://user:password@mail.example.org:587"
# database_url = "postgresql://user:password@host/name"    # default: SQLite in var/
# broker_url = "redis://host:6379/0"                       # default: folders in var/

# --- How it sends ---
# slots = 2                       # worker processes that send at the same time
# connections = 10                # SMTP connections of each
# retry_after_s = [300, 900, 1800, 3600, 7200, 14400, 28800]
# deadline_s = 172800             # after two days news is old: expired
# in_doubt = "resend"             # or "hold": look at doubtful ones by hand
"""
