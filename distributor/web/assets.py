"""Style sheets and images: a workspace's own before those of the product."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from distributor.web.document import Document

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
# One name, no folders and nothing hidden: there is no path to climb.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


class Assets:
    """Files by name; read again when they change."""

    def __init__(self, directories: Sequence[Path]) -> None:
        """Look in `directories` in order; one that does not exist is passed over."""
        self._directories = tuple(directories)
        self._kept: dict[Path, tuple[int, Document]] = {}

    def document(self, name: str) -> Document | None:
        """The file of that name, or None; also None for types nobody should get."""
        media_type = MEDIA_TYPES.get(Path(name).suffix)
        if media_type is None or not _NAME.fullmatch(name):
            return None
        for directory in self._directories:
            path = directory / name
            if path.is_file():
                return self._read(path, media_type)
        return None

    def _read(self, path: Path, media_type: str) -> Document:
        changed = path.stat().st_mtime_ns
        kept = self._kept.get(path)
        if kept is not None and kept[0] == changed:
            return kept[1]
        modified = datetime.fromtimestamp(changed // 10**9, tz=UTC)
        document = Document(path.read_bytes(), media_type, modified)
        self._kept[path] = (changed, document)
        return document
