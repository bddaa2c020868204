"""A finished body, all that HTTP wants to know of it, and the answer made of it."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from distributor.web.conditional import accepts_gzip, http_date, not_modified

MAX_AGE_S = 300
"""How long a cache may answer without asking: a newsletter is not a ticker."""


@dataclass(frozen=True)
class Document:
    """Bytes to be served, compressed once.

    Attributes:
        body: As it is.
        media_type: With charset where it is text.
        modified: Aware; last change.
        links: Values of `Link` headers (RFC 8288).
        etag: Strong tag of the plain bytes, with quotes.
        packed: Body as gzip, the same bytes for the same body.
    """

    body: bytes
    media_type: str
    modified: datetime
    links: tuple[str, ...] = ()
    etag: str = field(init=False)
    packed: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Hash and compress."""
        digest = hashlib.sha256(self.body).hexdigest()[:32]
        object.__setattr__(self, "etag", f'"{digest}"')
        object.__setattr__(self, "packed", gzip.compress(self.body, 9, mtime=0))

    @property
    def packed_etag(self) -> str:
        """Tag of the compressed bytes: other bytes, so another strong tag."""
        return f'{self.etag[:-1]}-gzip"'


def answer(request: Request, document: Document) -> Response:
    """200 or 304 for a GET or HEAD, compressed if that is admitted (RFC 9110)."""
    pack = accepts_gzip(request.headers.get("accept-encoding", ""))
    etag = document.packed_etag if pack else document.etag
    headers = {
        "ETag": etag,
        "Last-Modified": http_date(document.modified),
        "Cache-Control": f"public, max-age={MAX_AGE_S}",
        "Vary": "Accept-Encoding",
    }
    if document.links:
        headers["Link"] = ", ".join(document.links)
    if not_modified(request.headers, etag=etag, last_modified=document.modified):
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = document.media_type
    if pack:
        headers["Content-Encoding"] = "gzip"
    return Response(document.packed if pack else document.body, headers=headers)
