"""The web application: archive, feeds, and the links in emails (Starlette, ASGI).

Absolute addresses come from the configuration, never from a Host header. No cookies,
no script. Endpoints that read the database are plain functions: Starlette runs those
in its thread pool.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from distributor.errors import StorageError
from distributor.issue import Brand
from distributor.render.archive import Site
from distributor.render.templates import Templates, builtin_templates
from distributor.storage import issues
from distributor.storage.database import reading
from distributor.web.assets import Assets
from distributor.web.document import Document, answer
from distributor.web.library import FEEDS, Library
from distributor.web.links import (
    PREFERENCES_PATH,
    UNSUBSCRIBE_PATH,
    Links,
    private_page,
)
from distributor.web.shield import Shield, protective_headers
from subscribers import InvalidToken, Keyring

RETRY_AFTER_S = 30
"""When to ask again while the database does not answer."""

Found = tuple[str, str]
_SAYINGS: dict[int, Found] = {
    400: (
        "That did not work",
        "The form arrived incomplete, so nothing was changed. Go back and try again.",
    ),
    404: (
        "There is nothing here",
        "The address may be misspelled. Every issue is in the archive.",
    ),
    405: ("That cannot be done here", "This address only answers to being read."),
    413: ("That is too much", "The request was far longer than any of our forms."),
    500: ("Something went wrong", "It is our fault, and nothing was changed."),
    503: (
        "Please try again soon",
        "We cannot reach our database at this moment. Nothing was changed.",
    ),
}
_BAD_LINK: Found = (
    "This link does not work",
    (
        "It may have been cut off or changed on its way. Please use the link in the "
        "newest email you have from us, or answer that email: people read it."
    ),
)


def create_app(
    *,
    engine: sa.Engine,
    brand: Brand,
    base_url: str,
    keyring: Keyring,
    templates: Templates,
    clock: Callable[[], datetime],
    assets: Sequence[Path] = (),
) -> ASGIApp:
    """The application, ready for any ASGI server.

    Args:
        engine: The database; its schema is there.
        brand: Who publishes.
        base_url: Absolute URL of the public site, no trailing slash.
        keyring: Opens the tokens in links.
        templates: A workspace's own, then the product's.
        clock: Aware current time.
        assets: Folders for `/static/`, looked at before the product's own.
    """
    site = Site(brand=brand, base_url=base_url, templates=templates)
    files = Assets([*assets, builtin_templates() / "static"])
    links = Links(engine=engine, keyring=keyring, site=site, clock=clock)
    routes = [
        *_public_routes(Library(engine, site), base_url),
        *_link_routes(links),
        Route("/static/{name}", _static(files)),
        Route("/healthz", _health(engine)),
    ]
    app = Starlette(routes=routes, exception_handlers=_error_pages(site))
    # Its redirect would be built from the Host header.
    app.router.redirect_slashes = False
    return Shield(app, protective_headers(https=base_url.startswith("https:")))


def _public_routes(library: Library, base_url: str) -> list[Route]:
    def index(request: Request) -> Response:
        return _found(request, library.index())

    def feeds_page(request: Request) -> Response:
        return _found(request, library.feeds_page())

    def feed(request: Request) -> Response:
        return _found(request, library.feed(request.scope["route"].path))

    def page(request: Request) -> Response:
        return _found(request, library.page(request.path_params["slug"]))

    def add_slash(request: Request) -> Response:
        path = f"{request.url.path}/"
        return RedirectResponse(base_url + path, status_code=308)

    def latest(_request: Request) -> Response:
        url = library.newest_url()
        if url is None:
            raise HTTPException(404)
        return RedirectResponse(url, status_code=302)

    return [
        Route("/", index),
        Route("/latest", latest),
        Route("/issues/{slug}/", page),
        Route("/issues/{slug}", add_slash),
        Route("/feeds/", feeds_page),
        Route("/feeds", add_slash),
        *(Route(path, feed) for path in FEEDS),
    ]


def _link_routes(links: Links) -> list[Route]:
    unsubscribe = f"{UNSUBSCRIBE_PATH}{{token}}"
    preferences = f"{PREFERENCES_PATH}{{token}}"
    return [
        Route(unsubscribe, links.unsubscribe_page, methods=["GET"]),
        Route(unsubscribe, links.unsubscribe, methods=["POST"]),
        Route(preferences, links.preferences_page, methods=["GET"]),
        Route(preferences, links.leave_lists, methods=["POST"]),
    ]


def _static(files: Assets) -> Callable[[Request], Response]:
    def static(request: Request) -> Response:
        return _found(request, files.document(request.path_params["name"]))

    return static


def _health(engine: sa.Engine) -> Callable[[Request], Response]:
    def health(_request: Request) -> Response:
        try:
            with reading(engine) as connection:
                issues.freshness(connection)
        except (StorageError, SQLAlchemyError):
            return PlainTextResponse("the database does not answer\n", status_code=503)
        return PlainTextResponse("ok\n")

    return health


def _found(request: Request, document: Document | None) -> Response:
    if document is None:
        raise HTTPException(404)
    return answer(request, document)


Handler = Callable[[Request, Exception], Response]


def _error_pages(site: Site) -> dict[int | type[Exception], Handler]:
    """A page for everything that can go wrong; none tells what the cause was."""

    def failed(_request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        title, text = _SAYINGS.get(status, _SAYINGS[500])
        page = private_page(site.message(title, text), status=status)
        page.headers.update(getattr(error, "headers", None) or {})
        return page

    def bad_link(_request: Request, _error: Exception) -> Response:
        return private_page(site.message(*_BAD_LINK), status=404)

    def unavailable(_request: Request, _error: Exception) -> Response:
        page = private_page(site.message(*_SAYINGS[503]), status=503)
        page.headers["Retry-After"] = str(RETRY_AFTER_S)
        return page

    return {
        HTTPException: failed,
        InvalidToken: bad_link,
        StorageError: unavailable,
        Exception: failed,
    }
