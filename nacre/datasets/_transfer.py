"""Read a file from a URL in spite of a bad connection: try again, and go on where it broke off.

pooch, the library for this, tries again from the start only and needs a second HTTP library; what
is here stands on Python's own and goes on by HTTP ranges.
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from typing import IO

from nacre.core import config

_CHUNK_BYTES = 1 << 20
_TIMEOUT_SECONDS = 60.0
_TRIES = 5
_FIRST_PAUSE_SECONDS = 0.5  # doubled before each further try
# Answers that a server gives for a while only: RFC 9110 sections 15.5 and 15.6, RFC 6585 section 4.
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_PARTIAL_CONTENT = 206  # RFC 9110, section 15.3.7


def transfer(origin: str, file: IO[bytes], name: str) -> None:
    """Write what a URL has into an empty file.

    A connection that breaks off, stalls or is told to come back later is tried again, five times
    without progress at most. It goes on behind what is there if the server says that its file is
    the same one (RFC 9110, section 13.1.5); else it begins anew.

    Args:
        origin: The URL.
        file: Open for writing; it can be cut.
        name: The file's name, for the progress bar.

    Raises:
        OSError: It did not succeed.
    """
    with _progress(name, origin) as show:
        source = _Source(origin, file, show)
        failures = furthest = 0
        while True:
            try:
                source.read()
                return
            except (OSError, http.client.HTTPException) as error:
                # One that begins anew each time and ends sooner or later would go on for ever.
                failures = 1 if file.tell() > furthest else failures + 1
                furthest = max(furthest, file.tell())
                if failures >= _TRIES or not _may_pass(error):
                    if isinstance(error, OSError):
                        raise
                    raise OSError(f"{type(error).__name__}: {error}") from error
            time.sleep(_FIRST_PAUSE_SECONDS * 2 ** (failures - 1))


def _may_pass(error: Exception) -> bool:
    """Whether another try may succeed: not where the name or the file is unknown."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _PASSING
    reason = getattr(error, "reason", error)
    return isinstance(reason, _PASSING_ERRORS)


class _BrokenOffError(OSError):
    """The connection ended before the file did."""


_PASSING_ERRORS = (
    _BrokenOffError, ConnectionAbortedError, ConnectionResetError, TimeoutError,
    http.client.HTTPException, ssl.SSLEOFError,
)  # fmt: skip


class _Source:
    """A file on a server: what of it has come, and how to know it again.

    Args:
        origin: The URL.
        file: Where to write.
        show: Called with how many bytes are there, and how many there will be, 0 if not known.
    """

    def __init__(self, origin: str, file: IO[bytes], show: Callable[[int, int], None]) -> None:
        self.origin = origin
        self.file = file
        self.show = show
        self.validator: str | None = None  # an ETag or a date: two equal ones mean equal bytes

    def read(self) -> None:
        """Read what is missing."""
        start = self.file.tell() if self.validator else 0
        headers = {}
        if start and self.validator:
            headers = {"Range": f"bytes={start}-", "If-Range": self.validator}
        request = urllib.request.Request(self.origin, headers=headers)
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
            if not self._goes_on(response, start):
                start = 0
            self.file.seek(start)
            self.file.truncate()
            self.validator = _validator(response)
            length = response.headers.get("Content-Length")
            size = start + int(length) if length else 0
            self.show(start, size)
            while chunk := response.read(_CHUNK_BYTES):
                self.file.write(chunk)
                self.show(self.file.tell(), size)
        if size and self.file.tell() != size:
            raise _BrokenOffError(f"the connection ended after {self.file.tell()} of {size} bytes")

    @staticmethod
    def _goes_on(response: http.client.HTTPResponse, start: int) -> bool:
        given = response.headers.get("Content-Range") or ""  # RFC 9110, section 14.4
        is_partial = getattr(response, "status", None) == _PARTIAL_CONTENT
        if is_partial and not given.startswith(f"bytes {start}-"):
            raise OSError(f"the server sent another part of the file than asked for: {given!r}")
        return is_partial


def _validator(response: http.client.HTTPResponse) -> str | None:
    """What `If-Range` takes: a strong ETag, or a date. A weak tag may stand for other bytes."""
    tag = response.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    return response.headers.get("Last-Modified")


@contextlib.contextmanager
def _progress(name: str, origin: str) -> Generator[Callable[[int, int], None]]:
    """A bar on a terminal, one line elsewhere, nothing when interactive logging is off."""
    if not config.is_interactive_logging_enabled():
        yield lambda done, size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"Downloading {name} from {origin}", soft_wrap=True, highlight=False)
        yield lambda done, size: None
        return
    columns = (TextColumn(f"Downloading {name}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=console) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, size: bar.update(task, completed=done, total=size or None)


__all__ = ["transfer"]
