"""get_file over HTTP: broken connections, servers with and without ranges, wrong content."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nacre.core.errors import FileFormatError
from nacre.datasets import _transfer
from nacre.datasets.download import DownloadError, get_file

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()
Behaviour = Callable[[BaseHTTPRequestHandler, int], None]


class Server:
    """A server on this machine that behaves as a function says."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.requests: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(dict(self.headers))
                behaviour(self, len(outer.requests))

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/data.bin"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def serve(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Behaviour], Server]]:
    monkeypatch.setattr(_transfer, "_FIRST_PAUSE_SECONDS", 0.001)
    servers: list[Server] = []

    def start(behaviour: Behaviour) -> Server:
        servers.append(Server(behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def send(
    handler: BaseHTTPRequestHandler,
    content: bytes = CONTENT,
    *,
    size: int | None = None,
    tag: str | None = '"one"',
    start: int | None = None,
) -> None:
    handler.send_response(200 if start is None else 206)
    handler.send_header("Content-Length", str(len(content) if size is None else size))
    if tag:
        handler.send_header("ETag", tag)
    if start is not None:
        handler.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
    handler.end_headers()
    handler.wfile.write(content)


def asked_start(handler: BaseHTTPRequestHandler) -> int | None:
    given = handler.headers.get("Range")
    return None if given is None else int(given.removeprefix("bytes=").removesuffix("-"))


def breaks_off(ranges: bool, tag: str | None = '"one"') -> Behaviour:
    """The first answer ends after 1000 bytes; the second is whole, or what is missing."""

    def behave(handler: BaseHTTPRequestHandler, count: int) -> None:
        start = asked_start(handler) if ranges else None
        if count == 1:
            send(handler, CONTENT[:1000], size=len(CONTENT), tag=tag)
        else:
            send(handler, CONTENT[start or 0 :], tag=tag, start=start)

    return behave


def test_a_broken_download_goes_on_where_it_ended(serve: Callable[[Behaviour], Server]) -> None:
    server = serve(breaks_off(ranges=True))
    assert Path(get_file(origin=server.url, file_hash=DIGEST)).read_bytes() == CONTENT
    first, second = server.requests
    assert "Range" not in first
    assert second["Range"] == "bytes=1000-" and second["If-Range"] == '"one"'


@pytest.mark.parametrize("tag", ['"one"', None, 'W/"one"'])
def test_without_ranges_it_begins_anew(
    serve: Callable[[Behaviour], Server], tag: str | None
) -> None:
    server = serve(breaks_off(ranges=False, tag=tag))
    assert Path(get_file(origin=server.url)).read_bytes() == CONTENT
    assert len(server.requests) == 2
    assert ("Range" in server.requests[1]) == (tag == '"one"')  # a weak tag tells of no bytes


def test_a_file_that_changed_meanwhile_is_read_anew(serve: Callable[[Behaviour], Server]) -> None:
    def behave(handler: BaseHTTPRequestHandler, count: int) -> None:
        if count == 1:
            send(handler, b"old" * 100, size=len(CONTENT))
        else:  # If-Range names another tag: the whole file
            send(handler, CONTENT, tag='"two"')

    assert Path(get_file(origin=serve(behave).url)).read_bytes() == CONTENT


def test_many_breaks_are_no_matter_as_long_as_something_comes(
    serve: Callable[[Behaviour], Server],
) -> None:
    def behave(handler: BaseHTTPRequestHandler, count: int) -> None:
        start = asked_start(handler)
        part = CONTENT[start or 0 :]
        send(handler, part[:1000], size=len(part), start=start)

    server = serve(behave)
    assert Path(get_file(origin=server.url)).read_bytes() == CONTENT
    assert len(server.requests) == 11


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(
    serve: Callable[[Behaviour], Server],
) -> None:
    def busy(handler: BaseHTTPRequestHandler, count: int) -> None:
        if count < 3:
            handler.send_error(503)
        else:
            send(handler)

    assert Path(get_file(origin=serve(busy).url)).read_bytes() == CONTENT
    missing = serve(lambda handler, count: handler.send_error(404))
    with pytest.raises(DownloadError, match="Not Found"):
        get_file("other.bin", missing.url)
    assert len(missing.requests) == 1


def test_a_server_that_never_sends_more_is_given_up(
    serve: Callable[[Behaviour], Server], cache_folder: Path
) -> None:
    server = serve(lambda handler, count: send(handler, b"", size=len(CONTENT)))
    with pytest.raises(DownloadError, match=r"ended after 0 of 10240 bytes"):
        get_file(origin=server.url)
    assert len(server.requests) == 5
    assert list((cache_folder / "datasets").iterdir()) == []


def test_one_that_begins_anew_each_time_and_never_comes_further_is_given_up(
    serve: Callable[[Behaviour], Server],
) -> None:
    server = serve(
        lambda handler, count: (
            send(handler, CONTENT[: 1000 * (1 + count % 2)], size=len(CONTENT), tag=None)
            if count < 20
            else send(handler)
        )
    )
    with pytest.raises(DownloadError, match="connection ended"):
        get_file(origin=server.url)
    assert len(server.requests) == 5


def test_wrong_content_is_told_and_kept_from_the_cache(
    serve: Callable[[Behaviour], Server], cache_folder: Path
) -> None:
    server = serve(lambda handler, count: send(handler, b"<html>Please log in</html>"))
    with pytest.raises(FileFormatError, match="digest must be"):
        get_file(origin=server.url, file_hash=DIGEST)
    assert list((cache_folder / "datasets").iterdir()) == []


def test_another_part_than_asked_for_is_refused(serve: Callable[[Behaviour], Server]) -> None:
    def behave(handler: BaseHTTPRequestHandler, count: int) -> None:
        if count == 1:
            send(handler, CONTENT[:1000], size=len(CONTENT))
        else:
            send(handler, CONTENT[500:], start=500)

    with pytest.raises(DownloadError, match="another part"):
        get_file(origin=serve(behave).url)


def test_a_fetched_file_may_be_read_by_whom_the_system_says(
    serve: Callable[[Behaviour], Server], tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    path = Path(get_file(origin=serve(lambda handler, count: send(handler)).url))
    assert path.stat().st_mode == plain.stat().st_mode
