"""Send every epoch's results to a web address."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from nacre.callbacks.base import Callback, Logs
from nacre.core.warning import warn

_TIMEOUT_SECONDS = 10  # training must not hang on a slow listener


class RemoteMonitor(Callback):
    """Posts the logs of each epoch as JSON; a listener that is away only causes a warning.

    Args:
        root: Address of the server.
        path: Path on it.
        field: Form field that holds the JSON, when `send_as_json` is False.
        headers: More HTTP headers.
        send_as_json: Whether the body is the JSON itself.

    Example:
        >>> RemoteMonitor(send_as_json=True).path
        '/publish/epoch/end/'
    """

    adds_logs = ()
    remembers = ()
    writes = True

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        # http and ssl behind it take tens of milliseconds to import: only who uses this pays.
        from urllib.parse import urlencode
        from urllib.request import Request, urlopen

        data: dict[str, Any] = {"epoch": epoch}
        data.update({name: _plain(value) for name, value in (logs or {}).items()})
        body, kind = json.dumps(data), "application/json"
        if not self.send_as_json:
            body, kind = urlencode({self.field: body}), "application/x-www-form-urlencoded"
        address = self.root + self.path
        headers = {"Content-Type": kind, **(self.headers or {})}
        request = Request(address, body.encode(), headers, method="POST")
        try:
            urlopen(request, timeout=_TIMEOUT_SECONDS).close()
        except OSError as error:
            warn(
                f"RemoteMonitor: {address} did not take the logs of epoch {epoch + 1} ({error}); "
                "training goes on. Start the listener, or remove the callback.",
            )


def _plain(value: Any) -> Any:
    """A log as JSON can hold it: a number, a list of an array, else its text."""
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    try:
        return np.asarray(value, float).tolist()
    except (TypeError, ValueError):
        return str(value)
