"""What runs in a worker process: it takes calls from its parent, and answers each.

Nothing but the standard library is imported here, so that a process is at work after a few
hundredths of a second; what the function that it calls needs comes with that. It ends when its
parent closes the pipe, so also when the parent is killed, whatever it is doing then.

A message is a frame: a byte for its kind, the number of its parts, their sizes, the parts. The
parts are what pickle makes with protocol 5: the data, then the buffers of arrays as they are.
"""

from __future__ import annotations

import faulthandler
import io
import os
import pickle
import queue
import random
import runpy
import signal
import struct
import sys
import threading
import traceback
import types
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, TypeAlias

# To the process: a function, a call of it, the question where it is.
FUNCTION, CALL, WHERE = b"F", b"C", b"W"
# From it: the function is there, what a call gave, an error, its stack.
READY, VALUE, ERROR, STACK = b"R", b"V", b"E", b"S"

Frame: TypeAlias = tuple[bytes, list[Any]]

_HEAD = struct.Struct("<cI")
_MOST_LOOKED_AT = 1000  # items of a list or a dict: generators stand in short ones


class _Role:
    """What this process is."""

    is_worker = False


def is_worker_process() -> bool:
    """Whether this process is a worker of another one."""
    return _Role.is_worker


def write_frame(file: BinaryIO, kind: bytes, parts: Sequence[Any] = ()) -> None:
    """Write a message."""
    sizes = [memoryview(part).nbytes for part in parts]
    file.write(_HEAD.pack(kind, len(parts)) + struct.pack(f"<{len(parts)}Q", *sizes))
    for part in parts:
        file.write(part)
    file.flush()


def read_frame(file: BinaryIO) -> Frame | None:
    """Read a message; None where the other end is closed."""
    head = _filled(file, _HEAD.size)
    if head is None:
        return None
    kind, count = _HEAD.unpack(head)
    sizes = _filled(file, 8 * count)
    if sizes is None:
        return None
    parts = []
    for size in struct.unpack(f"<{count}Q", sizes):
        part = _filled(file, size)
        if part is None:
            return None
        parts.append(part)
    return kind, parts


def _filled(file: BinaryIO, size: int) -> bytearray | None:
    """The next bytes, which arrays are made of without another copy."""
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        count = file.readinto(view[at:])  # type: ignore[attr-defined]
        if not count:
            return None
        at += count
    return data


def packed(value: Any) -> list[Any]:
    """A value as the parts of a message; by value where its class cannot be found by its name."""
    try:
        return packed_by(pickle.Pickler, value)
    except Exception:
        if "cloudpickle" not in sys.modules:
            raise
        return packed_by(sys.modules["cloudpickle"].Pickler, value)


def packed_by(kind: Callable[..., Any], value: Any) -> list[Any]:
    """A value as the parts of a message, made by a kind of pickler."""
    buffers: list[pickle.PickleBuffer] = []
    file = io.BytesIO()
    kind(file, protocol=5, buffer_callback=buffers.append).dump(value)
    return [file.getbuffer(), *(buffer.raw() for buffer in buffers)]


def unpacked(parts: Sequence[Any]) -> Any:
    """The value of such parts."""
    return pickle.loads(parts[0], buffers=parts[1:])


# ---------------------------------------------------------------------------- random numbers


def generators_of(function: Any) -> list[Any]:
    """The random generators that an object or a function holds or reads: attributes, items of its
    lists and dicts, globals of its methods. In the same order in each process."""
    found: list[Any] = []
    _collect_generators(function, found, set(), 8)
    return found


def _collect_generators(value: Any, found: list[Any], seen: set[int], depth: int) -> None:
    if id(value) in seen or depth == 0 or isinstance(value, str | bytes | int | float | type(None)):
        return
    seen.add(id(value))
    numpy_random = sys.modules.get("numpy.random")
    kinds: tuple[type, ...] = (random.Random,)
    if numpy_random is not None:
        kinds += (numpy_random.Generator, numpy_random.RandomState)
    if isinstance(value, kinds):
        found.append(value)
        return
    for inner in _parts_of(value):
        _collect_generators(inner, found, seen, depth - 1)


def _parts_of(value: Any) -> Sequence[Any]:
    if isinstance(value, list | tuple):
        return value if len(value) <= _MOST_LOOKED_AT else ()
    if isinstance(value, dict):
        return list(value.values()) if len(value) <= _MOST_LOOKED_AT else ()
    if isinstance(value, types.MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        names = [name for name in value.__code__.co_names if name in value.__globals__]
        read = [value.__globals__[name] for name in names]
        return cells + [r for r in read if not isinstance(r, types.ModuleType | type)]
    if isinstance(value, types.ModuleType | type):
        return ()
    attributes = getattr(value, "__dict__", None)
    if not isinstance(attributes, dict):
        return ()
    methods = [
        method
        for kind in type(value).__mro__
        for method in vars(kind).values()
        if isinstance(method, types.FunctionType) and kind.__module__.split(".")[0] != "nacre"
    ]
    return [*attributes.values(), *methods]


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  asking is the question
    except ValueError:
        return False
    return True


def draw_seed(generator: Any) -> int:
    """A number drawn from a generator, which stands at another place afterwards."""
    if isinstance(generator, random.Random):
        return generator.getrandbits(31)
    draw = generator.integers if hasattr(generator, "integers") else generator.randint
    return int(draw(0, 2**31 - 1))


def drawn_seeds(generators: Sequence[Any], own: Sequence[int] = ()) -> list[list[int]]:
    """Seeds for `reseed`: of the generators what each of them draws now, before them the given
    ones, or what `np.random` draws."""
    first = list(own)
    if not first:
        first = [int(sys.modules["numpy"].random.randint(1, 2**31))]
    return [first, *([draw_seed(generator)] for generator in generators)]


def reseed(seeds: Sequence[Sequence[int]], generators: Sequence[Any]) -> None:
    """Let random numbers begin where seeds say: the first those of `random`, `np.random` and torch,
    the others those of the generators of the function's own."""
    own, *others = seeds
    random.seed(repr(tuple(own)))
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(_words(own))
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(random.Random(repr(tuple(own))).getrandbits(63))
    for seed, generator in zip(others, generators, strict=False):
        if isinstance(generator, random.Random):
            generator.seed(repr(tuple(seed)))
        elif hasattr(generator, "bit_generator"):
            bits = generator.bit_generator
            bits.state = type(bits)(list(seed)).state
        else:
            generator.seed(_words(seed))


def _words(seed: Sequence[int]) -> list[int]:
    """Numbers in words of 32 bits, which NumPy's older generator takes."""
    return [word for number in seed for word in (number & 0xFFFFFFFF, number >> 32 & 0xFFFFFFFF)]


# ---------------------------------------------------------------------------- the process


class _Worker:
    """One process's work.

    Args:
        read, write: Where messages come from and go to.
        function: What it calls, where it has it already.
    """

    def __init__(self, read: BinaryIO, write: BinaryIO, function: Any = None) -> None:
        self._read, self._write = read, write
        self._messages: queue.SimpleQueue[Frame] = queue.SimpleQueue()
        self._turn = threading.Lock()
        self._main = threading.get_ident()
        self._function = function
        self._generators = [] if function is None else generators_of(function)

    def run(self) -> None:
        """Answer messages until there are no more."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            kind, parts = self._messages.get()
            try:
                if kind == FUNCTION:
                    self._load(parts)
                    answer: Frame = READY, []
                else:
                    answer = VALUE, packed(self._called(*unpacked(parts)))
            except BaseException as error:  # sys.exit too: it is the parent's to end
                answer = ERROR, _packed_error(error)
            del parts
            self._send(*answer)
            del answer

    def _listen(self) -> None:
        """Take messages; end the process when its parent has closed the pipe, or is gone."""
        try:
            while (frame := read_frame(self._read)) is not None:
                if frame[0] == WHERE:
                    self._send(STACK, [self._stack().encode()])
                else:
                    self._messages.put(frame)
        finally:
            os._exit(0)

    def _send(self, kind: bytes, parts: Sequence[Any]) -> None:
        try:
            with self._turn:
                write_frame(self._write, kind, parts)
        except OSError:  # nobody reads any more
            os._exit(0)

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._main)
        lines = traceback.format_stack(frame)
        return "".join(line for line in lines if __file__ not in line)

    def _load(self, parts: Sequence[Any]) -> None:
        setting = pickle.loads(parts[0])
        sys.argv[:] = setting["argv"]
        if setting["main"] is not None:
            _import_main(*setting["main"])
        self._function = unpacked(parts[1:])
        self._generators = generators_of(self._function)

    def _called(self, seeds: Any, arguments: Any) -> Any:
        if seeds is not None:
            reseed(seeds, self._generators)
        return self._function(*arguments)


def _import_main(name: str | None, path: str | None) -> None:
    """Let `__main__` be the parent's script, whose own `if __name__ == "__main__"` is not true."""
    if "__mp_main__" in sys.modules:
        return
    module = types.ModuleType("__mp_main__")
    sys.modules["__mp_main__"] = sys.modules["__main__"] = module
    if name is not None:
        content = runpy.run_module(name, run_name="__mp_main__", alter_sys=True)
    else:
        content = runpy.run_path(path or "", run_name="__mp_main__")
    module.__dict__.update(content)


def _packed_error(error: BaseException) -> list[Any]:
    """An error as an object, where it can be sent, its text, and its traceback."""
    # The frames of this file are no news to anybody.
    at = error.__traceback__
    while at is not None and at.tb_frame.f_code.co_filename == __file__:
        at = at.tb_next
    text = "".join(traceback.format_exception(type(error), error, at or error.__traceback__))
    said = f"{type(error).__name__}: {error}"
    try:
        parts = packed((error, said, text))
        unpacked(parts)  # errors with arguments of their own may not come back
        return parts
    except Exception:
        return packed((None, said, text))


def serve() -> None:
    """Be a worker process, spoken to over standard input and output."""
    _Role.is_worker = True
    faulthandler.enable()
    read = os.fdopen(os.dup(0), "rb")
    write = os.fdopen(os.dup(1), "wb")
    # What the user's code prints goes where errors go; it reads nothing.
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    _Worker(read, write).run()


def serve_forked(function: Any, read: int, write: int, others: Sequence[int]) -> None:
    """Be a worker process that was forked, and has the function already.

    Args:
        function: What it calls.
        read, write: The ends of its pipes.
        others: Ends of pipes that are the parent's.
    """
    _Role.is_worker = True
    for number in others:
        try:
            os.close(number)
        except OSError:
            pass
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _Worker(os.fdopen(read, "rb"), os.fdopen(write, "wb"), function).run()


__all__ = [
    "CALL", "ERROR", "FUNCTION", "READY", "STACK", "VALUE", "WHERE", "Frame", "drawn_seeds",
    "generators_of", "is_worker_process", "packed", "packed_by", "read_frame", "reseed", "serve",
    "serve_forked", "unpacked", "write_frame",
]  # fmt: skip
