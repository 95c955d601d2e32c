"""Event files that runs leave, whatever becomes of them."""

from __future__ import annotations

import copy
import errno
import gc
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nacre import summary
from nacre.core.errors import ArgumentError, ClosedError
from nacre.summary.event_file import EventFile
from nacre.summary.recording import put
from tests.summary.event_files import event_files, one, read, records, scalars

ROOT = Path(__file__).resolve().parents[2]


def test_two_writers_in_one_folder_have_a_file_each(tmp_path):
    writers = [summary.create_file_writer(tmp_path / "a" / "b") for _ in range(2)]
    for step, writer in enumerate(writers):
        with writer.as_default():
            summary.scalar("loss", step, step=step)
        writer.close()
    assert len(event_files(tmp_path)) == 2
    assert scalars(tmp_path, "a/b") == {"loss": [(0, 0.0), (1, 1.0)]}
    assert all(path.name.endswith(".v2") for path in event_files(tmp_path))


def test_a_file_is_there_from_the_beginning_and_grows_by_flush(tmp_path):
    writer = summary.create_file_writer(tmp_path, max_queue=2, filename_suffix=".mine")
    [path] = event_files(tmp_path)
    assert len(records(path)) == 1 and path.suffix == ".mine"
    writer.set_as_default(step=0)
    for count, expected in [(1, 1), (2, 1), (3, 4)]:  # the third is one more than wait
        summary.scalar("a", count)
        assert len(records(path)) == expected
    summary.scalar("a", 4)
    writer.flush()
    assert len(records(path)) == 5
    put(writer=None, step=None)
    writer.close()


def test_summaries_do_not_wait_longer_than_asked(tmp_path):
    writer = summary.create_file_writer(tmp_path, flush_millis=0)
    with writer.as_default():
        summary.scalar("a", 1.0, step=0)
        assert len(read(tmp_path)) == 1
    writer.close()


def test_a_closed_writer_says_so(tmp_path):
    writer = summary.create_file_writer(tmp_path)
    with writer.as_default():
        writer.close()
        writer.close()
        with pytest.raises(ClosedError, match="must be open.*Make a new one"):
            summary.scalar("a", 1.0, step=0)
    with pytest.raises(RuntimeError, match="must be open"):
        writer.as_default()
    writer.flush()


def test_a_writer_that_is_forgotten_writes_what_waits(tmp_path):
    writer = summary.create_file_writer(tmp_path, max_queue=100)
    writer.set_as_default(step=0)
    summary.scalar("a", 1.0)
    put(writer=None, step=None)
    assert not read(tmp_path)
    del writer
    gc.collect()
    assert len(read(tmp_path)) == 1


def test_a_process_that_ends_or_forks_writes_everything_once(tmp_path):
    program = f"""
        import os, sys
        from nacre import summary
        writer = summary.create_file_writer({str(tmp_path)!r}, max_queue=100)
        writer.set_as_default()
        for step in range(5):
            summary.scalar("a", step, step=step)
        child = os.fork()
        if child == 0:
            try:
                summary.scalar("a", 9, step=9)
            except ValueError as error:
                print(error, flush=True)
            sys.exit()
        os.waitpid(child, 0)
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Make a writer of its own in each process" in done.stdout
    assert [step for step, _ in scalars(tmp_path)["a"]] == [0, 1, 2, 3, 4]


def test_a_full_disk_leaves_whole_records_and_says_what_to_do(tmp_path):
    file = EventFile(str(tmp_path), "TensorBoard")
    file.add(b"\x10\x01")
    file.flush()
    whole, full = file.path.read_bytes(), Full(file._file)
    file._file = full
    file.add(b"\x10\x02")
    with pytest.raises(
        OSError, match="TensorBoard: the event file must be written.*Make room"
    ) as e:
        file.flush()
    assert e.value.errno == errno.ENOSPC
    assert file.path.read_bytes() == whole
    full.room = 1000
    file.add(b"\x10\x03")
    file.close()
    assert file.path.read_bytes()[: len(whole)] == whole
    assert [one(event, 2) for event in records(file.path)[1:]] == [1, 2, 3]


class Full:
    """A file on a disk that takes a few bytes more."""

    def __init__(self, file):
        self.file, self.room = file, 7

    def write(self, data):
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = data[: self.room]
        self.room -= len(part)
        return self.file.write(part)

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_a_folder_that_cannot_be_made_is_told_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="create_file_writer: an event file must be made.*another"):
        summary.create_file_writer(tmp_path / "file" / "run")
    for address in ("gs://bucket/logs", "", 3, b"logs"):
        with pytest.raises(ArgumentError, match="logdir must be a path on this machine"):
            summary.create_file_writer(address)


def test_writers_are_not_copied(tmp_path):
    writer = summary.create_file_writer(tmp_path)
    for make in (pickle.dumps, copy.deepcopy):
        with pytest.raises(ArgumentError, match="cannot be copied.*a writer of its own"):
            make(writer)
    writer.close()
