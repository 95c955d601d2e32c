"""`StreamCursor`: a place in a file, which is open while the cursor is used."""

from __future__ import annotations

from nacre.data.dataset.node import Cursor
from nacre.data.streams import Stream


class StreamCursor(Cursor):
    """A cursor whose stream, if it has opened one, is closed with it and when it is dropped."""

    _stream: Stream | None = None

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def __del__(self) -> None:
        self.close()


__all__ = ["StreamCursor"]
