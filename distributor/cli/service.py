"""`up`, `web`, `worker`, `scheduler`, `migrate`: the processes of the service."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from distributor.cli.output import say
from distributor.cli.processes import (
    celery_command,
    local_service,
    run_scheduler,
    workspace_environment,
)
from distributor.cli.workspace import Workspace, now, workspace_of
from distributor.storage.database import migrate as migrate_schema
from distributor.storage.database import open_engine
from distributor.web.app import create_app

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    for command in (up, web, worker, scheduler, migrate):
        app.command()(command)


def up(context: typer.Context, host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Runs everything on this machine: web, workers and scheduler, until Ctrl-C."""
    workspace = workspace_of(context)
    say(f"Serving http://{host}:{port}/ with {workspace.settings.slots} workers.")
    workspace.engine.dispose()
    with local_service(workspace.settings):
        serve(workspace, host=host, port=port)


def web(context: typer.Context, host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Serves pages, feeds and unsubscribe links; put a TLS proxy before it."""
    serve(workspace_of(context), host=host, port=port)


class _Server(uvicorn.Server):
    """Uvicorn, but a signal that ended it does not kill the process as well."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Forgets what was caught, else it is raised again and nothing unwinds."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def serve(workspace: Workspace, *, host: str, port: int) -> None:
    """Runs the web application until SIGINT or SIGTERM."""
    settings = workspace.settings
    app = create_app(
        engine=workspace.engine,
        brand=settings.brand,
        base_url=settings.base_url,
        keyring=settings.keyring,
        templates=workspace.templates,
        clock=now,
        assets=[settings.root / "templates" / "static"],
    )
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,  # paths hold tokens; nothing personal is logged
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    _Server(config).run()


def worker(
    context: typer.Context,
    concurrency: Annotated[
        int | None, typer.Option(help="Processes (default: one per slot).")
    ] = None,
) -> None:
    """Runs Celery workers, as `celery -A worker worker` would."""
    settings = workspace_of(context).settings
    command = celery_command(
        concurrency=concurrency or settings.slots, log_level="INFO"
    )
    os.chdir(settings.root)
    os.execve(command[0], command, workspace_environment(settings))  # noqa: S606


def scheduler(context: typer.Context) -> None:
    """Ticks: starts what is due, rings for retries, ends what is over. Any number."""
    settings = workspace_of(context).settings
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    run_scheduler(settings, ended)


def migrate(context: typer.Context) -> None:
    """Creates the database's tables or brings them to this version."""
    migrate_schema(open_engine(workspace_of(context).settings.database))
    say("The database is up to date.")
