"""Readers of bytes under a fuzzer that is guided by what code its inputs reach, to be run by hand.

    pip install atheris
    python -m tests.field.guided CORPUS -max_total_time=600

Its first byte says which reader an input is for. What a reader may raise is what it says: anything
else is kept by the fuzzer as a file `crash-...`.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.field.damaged_readers import make_cases

Reader = Callable[[bytes], Any]


def readers() -> list[tuple[Reader, tuple[type[Exception], ...], list[bytes]]]:
    """Each with what it may raise, and files that are whole."""
    from nacre.core.errors import DataError, FileFormatError
    from nacre.core.plain_yaml import read_yaml
    from nacre.core.wire import npz, safetensors
    from nacre.core.wire.message import Message
    from nacre.core.wire.records import read_record
    from nacre.core.wire.table import read_table
    from nacre.core.wire.tensorflow.objects import SavedMetadata, TrackableObjectGraph
    from nacre.core.wire.tensorflow.saved_model import SavedModel
    from nacre.data.dataset.saving import of_bytes
    from nacre.data.files.example import Example, SequenceExample
    from nacre.export.importers.tensorflow.plan import Library

    def message(kind: type[Message]) -> Reader:
        return lambda data: kind.read(data).write()

    def arrays(reader: Any) -> Reader:
        def read(data: bytes) -> None:
            with reader.Reader(data, "'file'") as opened:
                for name in opened.entries:
                    opened.read(name)

        return read

    def records(data: bytes) -> None:
        file = io.BytesIO(data)
        while read_record(file.read) is not None:
            pass

    def plans(data: bytes) -> None:
        for graph in SavedModel.read(data).meta_graphs:
            if graph.graph_def is not None:
                library = Library(graph.graph_def)
                for name in library.functions:
                    if not library.missing([name]):
                        library.plan_of(name)

    with tempfile.TemporaryDirectory() as folder:
        cases = make_cases(Path(folder))

    def whole(reader: str, ending: str) -> list[bytes]:
        files = [found for _, found in cases[reader].variants]
        return [data for found in files for name, data in found.items() if name.endswith(ending)]

    graphs = whole("program", ".pb") + whole("saved_model", "saved_model.pb")
    return [
        (message(SavedModel), (ValueError,), graphs),
        (message(SavedMetadata), (ValueError,), whole("keras_saved_model", "metadata.pb")),
        (message(TrackableObjectGraph), (ValueError,), []),
        (plans, (ValueError,), graphs),
        (lambda data: dict(read_table(data)), (ValueError,), whole("checkpoint", ".index")),
        (arrays(npz), (FileFormatError,), whole("npz", ".npz")),
        (arrays(safetensors), (FileFormatError,), whole("safetensors", ".safetensors")),
        (records, (ValueError,), whole("records", ".records")),
        (Example.FromString, (DataError,), []),
        (SequenceExample.FromString, (DataError,), []),
        (of_bytes, (ValueError,), []),
        (lambda data: read_yaml(data, "it", "'file'"), (FileFormatError,), whole("config_yaml", "")),
    ]  # fmt: skip


def seeds(all_readers: Any, folder: Path) -> None:
    """Write whole files as inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    for at, (_, _, files) in enumerate(all_readers):
        for number, data in enumerate(files):
            (folder / f"{at}-{number}").write_bytes(bytes([at]) + data)


def main() -> None:
    import atheris  # pyright: ignore[reportMissingImports]

    with _instrumented(atheris):
        found = readers()
    seeds(found, Path(next(a for a in sys.argv[1:] if not a.startswith("-"))))

    def one(data: bytes) -> None:
        if not data:
            return
        read, allowed, _ = found[data[0] % len(found)]
        with contextlib.suppress(*allowed):
            read(data[1:])

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


@contextlib.contextmanager
def _instrumented(atheris: Any) -> Iterator[None]:
    with atheris.instrument_imports(
        include=["nacre.core.wire", "nacre.data", "nacre.core.plain_yaml"]
    ):
        yield


if __name__ == "__main__":
    main()
