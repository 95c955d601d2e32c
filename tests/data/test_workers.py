"""Batches by index from worker processes and threads: what is sent, what becomes of them."""

from __future__ import annotations

import gc
import os
import pathlib
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import psutil
import pytest

import nacre
from nacre.core.errors import ArgumentError, SerializationError, WorkerError
from nacre.data import processes, workers
from nacre.data.indexed import IndexedBatches, Making
from tests.data.worker_samples import (
    Changing,
    Drawing,
    Failing,
    Numbered,
    OfMappedFile,
    Pairs,
    Placed,
    Targets,
)


def workers_now() -> list[Any]:
    """Processes and threads that work for data."""
    names = ("nacre-batches", "nacre-worker", "nacre-dataset", "nacre-prefetch")
    threads = [t for t in threading.enumerate() if t.name.startswith(names)]
    return [*psutil.Process().children(), *threads]


def none_is_left(within_seconds: float = 5.0) -> bool:
    end = time.monotonic() + within_seconds
    while workers_now() and time.monotonic() < end:
        time.sleep(0.02)
    return not workers_now()


@pytest.fixture(autouse=True)
def _all_end() -> Iterator[None]:
    yield
    gc.collect()
    assert none_is_left()


def numbers(source: Any, **kwargs: Any) -> list[int]:
    return [int(batch[0, 0]) for batch in IndexedBatches(source).batches(**kwargs)]


def tiny_model() -> Any:
    model = nacre.Sequential([nacre.Input((1,)), nacre.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_make_batches_in_order(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NACRE_WORKER_START", method)
    assert numbers(Numbered(7, max_queue_size=3)) == list(range(7))
    assert numbers(Numbered(4), order=[2, 0, 3, 1], skip=1) == [0, 3, 1]


def test_a_process_has_no_device_and_one_processor_and_imports_what_it_needs() -> None:
    [(pid, has_jax, settings)] = IndexedBatches(Placed(1, workers=1)).batches()
    assert pid != os.getpid() and not has_jax and settings == ["cpu", "1"]


def test_a_start_method_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NACRE_WORKER_START", "rocket")
    with pytest.raises(ArgumentError, match="must be 'spawn' or 'fork' on this system"):
        numbers(Numbered())


def test_each_batch_has_random_numbers_of_its_own_whatever_the_number_of_workers() -> None:
    def drawn(count: int, pass_number: int = 0) -> Any:
        source = Drawing(workers=count)
        batches = IndexedBatches(source, seed=2**40 + 5).batches(pass_number=pass_number)
        return np.array(list(batches))

    one = drawn(1)
    assert len(np.unique(one)) == one.size and np.array_equal(one, drawn(3))
    assert not np.any(one[:, :2] == drawn(2, pass_number=1)[:, :2])


def test_generators_of_the_object_go_on_from_pass_to_pass() -> None:
    source = IndexedBatches(Drawing(workers=1), seed=1)
    passes = np.array([list(source.batches(pass_number=number)) for number in range(2)])
    assert len(np.unique(passes)) == passes.size
    source.stop()


def test_what_is_drawn_without_a_run_seed_follows_numpys(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> Any:
        return np.array(list(IndexedBatches(Drawing(workers=1)).batches()))

    np.random.seed(3)
    first, second = drawn(), drawn()
    np.random.seed(3)
    assert np.array_equal(first, drawn()) and not np.any(first[:, :2] == second[:, :2])


def test_processes_see_what_the_hooks_change_and_begin_once_a_run() -> None:
    source = Changing(2, workers=1)
    made = IndexedBatches(source)
    assert [int(b[0, 0]) for b in made.batches()] == [0, 1]
    [first] = psutil.Process().children()
    source.on_epoch_end()
    assert [int(b[0, 0]) for b in made.batches()] == [10, 11]
    assert psutil.Process().children() == [first]
    made.stop()


def test_in_fit_the_hooks_run_here_and_reach_the_processes() -> None:
    seen: list[float] = []

    class Seen(nacre.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append(logs["loss"])

    model = nacre.Sequential([nacre.Input((1,)), nacre.layers.Dense(1, kernel_initializer="ones")])
    model.compile(nacre.optimizers.SGD(0.0), "mae")
    model.fit(Targets(Changing(1, workers=1)), epochs=3, verbose=0, callbacks=[Seen()])
    assert seen == [0.0, 10.0, 20.0]


def test_arrays_in_mapped_files_are_sent_by_their_names(tmp_path: pathlib.Path) -> None:
    rows = np.memmap(tmp_path / "rows", np.int32, "w+", shape=(6, 2))
    rows[:] = np.arange(12).reshape(6, 2)
    for part, first in ((rows, 0), (rows[2:], 4)):
        [(kind, row), *_] = IndexedBatches(OfMappedFile(part, workers=1)).batches()
        assert kind == "memmap" and row.tolist() == [first, first + 1]


# ------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("uses_processes", [False, True])
@pytest.mark.parametrize("hangs", [False, True])
def test_an_error_arrives_at_once_with_its_traceback(uses_processes: bool, hangs: bool) -> None:
    source = Failing("raise", hangs, use_multiprocessing=uses_processes)
    begun = time.monotonic()
    with pytest.raises(KeyError, match="no such row") as caught:
        numbers(source)
    assert time.monotonic() - begun < 40
    assert "fail_in_this_way" in "".join(traceback.format_exception(caught.value))
    if hangs and not uses_processes:
        release_sleepers()


def release_sleepers() -> None:
    """Threads that sleep in a test are given up by it."""
    for thread in threading.enumerate():
        if thread.name.startswith("nacre-batches"):
            thread.name = "given up"


@pytest.mark.parametrize(
    ("how", "told"),
    [("exit", "exit code 7"), ("kill", "signal SIGKILL"), ("sys.exit", "enough")],
)
@pytest.mark.parametrize("hangs", [False, True])
def test_a_process_that_ends_is_told_at_once(how: str, told: str, hangs: bool) -> None:
    begun = time.monotonic()
    with pytest.raises((WorkerError, SystemExit), match=told) as caught:
        numbers(Failing(how, hangs))
    assert time.monotonic() - begun < 40
    assert type(caught.value) in (WorkerError, SystemExit)  # the names that people know
    assert "batch 1" in f"{caught.value} {caught.value.__notes__ if how == 'sys.exit' else ''}"


@pytest.mark.parametrize("uses_processes", [False, True])
def test_one_that_stands_still_is_told_with_the_place(
    uses_processes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "STALL_SECONDS", 0.5)
    with pytest.raises(WorkerError, match="NACRE_WORKER_SECONDS=600") as caught:
        numbers(Failing("stand still", use_multiprocessing=uses_processes))
    assert "batch 1" in str(caught.value)
    assert "fail_in_this_way" in "".join(caught.value.__notes__)
    release_sleepers()


def test_one_that_takes_no_message_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "STALL_SECONDS", 1.0)
    monkeypatch.setattr(workers, "_SECONDS_FOR_STACK", 0.1)
    team = workers.Workers("counting", 1, parcel=processes.parcel_of(len, "counting", len))
    first = team.submit("a short one", b"1")
    team.wait(lambda: first.is_done)
    [process] = psutil.Process().children()
    process.suspend()
    second = team.submit("a long one", bytes(16 << 20))
    told: list[Any] = []

    def wait() -> None:
        with pytest.raises(WorkerError, match="a long one, which process") as caught:
            team.wait(lambda: second.is_done)
        told.append(caught)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    waiting.join(10)
    team.stop()
    assert told


def test_forked_processes_that_begin_together_hold_no_pipe_of_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe = os.pipe

    def slow_pipe() -> tuple[int, int]:
        ends = pipe()
        time.sleep(0.05)
        return ends

    monkeypatch.setenv("NACRE_WORKER_START", "fork")
    monkeypatch.setattr(os, "pipe", slow_pipe)
    parcel = processes.parcel_of(len, "counting", len)
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(processes.Process, [parcel, parcel]))
    for process in both:  # of each what a thread waits for ends with it, whatever the other does
        process.kill()
        waiting = threading.Thread(target=process.receive, daemon=True)
        waiting.start()
        waiting.join(5)
        are_apart = not waiting.is_alive()
        if not are_apart:
            break
    for process in both:
        process.kill()
        process.end()
    assert are_apart


def test_the_limit_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert workers.stall_seconds() == workers.STALL_SECONDS == 60
    for given, seconds in (("5", 5.0), ("0", float("inf"))):
        monkeypatch.setenv("NACRE_WORKER_SECONDS", given)
        assert workers.stall_seconds() == seconds
    monkeypatch.setenv("NACRE_WORKER_SECONDS", "long")
    with pytest.raises(ArgumentError, match="must be a number of seconds"):
        workers.stall_seconds()


def test_errors_and_batches_that_cannot_be_sent_are_told() -> None:
    with pytest.raises(WorkerError, match="Unpicklable") as caught:
        numbers(Failing("unpicklable error"))
    assert "fail_in_this_way" in "".join(caught.value.__notes__)
    with pytest.raises(TypeError, match="TextIOWrapper"):
        numbers(Failing("unpicklable batch"))


def test_what_cannot_be_sent_is_named_before_any_process_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Numbered()
    source.file = open(os.devnull)  # type: ignore[attr-defined]
    with source.file, pytest.raises(SerializationError) as told:  # type: ignore[attr-defined]
        numbers(source)
    assert "self.file, a TextIOWrapper" in str(told.value)
    assert "use_multiprocessing=False" in str(told.value)
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    Local = type("Local", (Numbered,), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Local", Local, raising=False)
    monkeypatch.setattr(processes, "_main_module", lambda: None)  # as of a notebook
    with pytest.warns(UserWarning, match=r"possible to pickle.*Threads make the batches now"):
        assert numbers(Local()) == [0, 1, 2, 3]


# ------------------------------------------------------------------------- nothing is left


def test_none_outlives_fit_evaluate_and_predict() -> None:
    model = tiny_model()
    source = Pairs(3)
    model.fit(source, epochs=2, verbose=0, validation_data=Pairs(2), steps_per_epoch=2)
    assert none_is_left(1)
    model.evaluate(source, verbose=0)
    model.predict(source, verbose=0, steps=1)
    assert none_is_left(1)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("uses_processes", [False, True])
def test_none_outlives_an_exception(error: Any, uses_processes: bool) -> None:
    class Raises(nacre.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raise error("stop")

    model = tiny_model()
    with pytest.raises(error):
        model.fit(Pairs(1000, use_multiprocessing=uses_processes), verbose=0, callbacks=[Raises()])
    assert none_is_left(1)


def test_none_outlives_data_that_does_not_fit() -> None:
    with pytest.raises(Exception, match="targets"):
        tiny_model().fit(Numbered(100), verbose=0)
    assert none_is_left(1)


def test_none_outlives_an_iterator_that_is_dropped() -> None:
    for uses_processes in (False, True):
        batches = IndexedBatches(Numbered(1000, use_multiprocessing=uses_processes)).batches()
        next(batches)
        del batches
        assert none_is_left(1)


def test_a_pass_that_is_left_takes_no_batches_from_another() -> None:
    class Slow(Numbered):
        def __getitem__(self, index: int) -> Any:
            time.sleep(0.02)
            return super().__getitem__(index)

    made = IndexedBatches(Slow(9, use_multiprocessing=False, max_queue_size=6))
    left, other = made.batches(), made.batches()
    found = [next(left), next(other)]
    left.close()
    reading = threading.Thread(target=lambda: found.extend(other), daemon=True)
    reading.start()
    reading.join(5)
    made.stop()
    assert len(found) == 10


def test_keywords_of_fit_count_in_place_of_the_objects_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Making | None] = []
    begin = IndexedBatches.__init__

    def noted(self: Any, source: Any, making: Making | None = None, seed: int = 0) -> None:
        made.append(making)
        begin(self, source, making, seed)

    monkeypatch.setattr(IndexedBatches, "__init__", noted)
    model, source = tiny_model(), Pairs(2, use_multiprocessing=False)
    model.fit(source, verbose=0, workers=3, use_multiprocessing=True, max_queue_size=4)
    model.evaluate(source, verbose=0, workers=1)
    model.predict(source, verbose=0)
    assert made == [Making(3, True, 4), Making(1, None, None), Making()]
    with pytest.raises(ArgumentError, match="workers must be"):
        model.fit(source, workers=-1)


# ------------------------------------------------------------------------- whole scripts

SCRIPT = """
    import sys
    import numpy as np
    import nacre
    from nacre.data.indexed import IndexedBatches

    if {without!r}:
        sys.modules["cloudpickle"] = None

    class Pairs(nacre.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return np.ones((2, 1)), np.ones((2, 1))

    {guard}
        list(IndexedBatches(Pairs(workers=1, use_multiprocessing=True)).batches())
        print("made")
"""


@pytest.mark.parametrize(
    ("without", "guard", "told"),
    [
        (False, "if True:", "made"),
        (True, "if __name__ == '__main__':", "made"),
        (True, "if True:", "Threads make the batches now"),
    ],
)
def test_a_script_with_a_class_of_its_own_runs(
    without: bool, guard: str, told: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "script.py").write_text(
        textwrap.dedent(SCRIPT.format(without=without, guard=guard))
    )
    result = run([str(tmp_path / "script.py")])
    assert told in result.stdout + result.stderr
    assert result.returncode == 0 and "made" in result.stdout


def run(arguments: list[str]) -> Any:
    paths = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("uses_processes", [False, True])
def test_python_ends_without_waiting_for_a_worker(uses_processes: bool) -> None:
    result = run(
        [
            "-c",
            "import time; from nacre.data.indexed import IndexedBatches\n"
            "from tests.data.worker_samples import Failing\n"
            f"source = Failing('stand still', use_multiprocessing={uses_processes})\n"
            "batches = IndexedBatches(source).batches(); next(batches)\n"
            "print(time.monotonic())",
        ]
    )
    assert result.returncode == 0, result.stderr
    assert time.monotonic() - float(result.stdout) < 60  # a worker stands still for 100
