"""`distributor list …` and `distributor subscriber …`."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from distributor.cli.output import counted, errors, iso, print_json, print_table, say
from distributor.cli.workspace import now, workspace_of
from distributor.errors import DistributorError
from distributor.storage.database import reading, writing
import subscribers

lists_app = typer.Typer(no_args_is_help=True, help="Lists that people subscribe to.")
subscribers_app = typer.Typer(
    no_args_is_help=True, help="Import, export and look up subscribers."
)
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
ListName = Annotated[str, typer.Option("--list", "-l", help="Name of the list.")]
