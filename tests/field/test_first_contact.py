"""The first hour: the command, tab completion, output that any terminal can show."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import nacre
from nacre import datasets
from nacre.core.terminal import encodable

ROOT = Path(nacre.__file__).parent.parent
NAMESPACES = [
    name
    for name in (
        *nacre._NAMESPACES,
        "data",
        "optimizers.schedules",
        "testing",
        *(f"datasets.{name}" for name in datasets.__all__),
    )
    if hasattr(importlib.import_module(f"nacre.{name}"), "__all__")
]


def run(words: list[str], **environment: str) -> subprocess.CompletedProcess:
    """Run Python as a user's shell does, from the folder that holds nacre."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )


# ------------------------------------------------------------------ streams that lack signs

SCRIPT = """
import numpy as np, nacre
model = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(3, name="größe_中")])
model.summary()
model.summary(print_fn=print, line_length=90)
print(model.explain_masks())
model.compile("sgd", "mse")
saver = nacre.callbacks.EarlyStopping("loss", patience=0, verbose=1, min_delta=1e9)
model.fit(np.ones((4, 4)), np.ones((4, 3)), epochs=2, callbacks=[saver])
model.evaluate(np.ones((4, 4)), np.ones((4, 3)))
model.predict(np.ones((4, 4)))
"""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_summary_and_progress_fit_a_stream_that_lacks_signs(encoding):
    done = run(["-c", SCRIPT], PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode(encoding)
    assert "Epoch 1/2" in text and "| " in text and "+==" in text
    assert "\\u4e2d" in text and ("größe" in text) == (encoding == "cp1252")


def test_a_stream_that_holds_every_sign_gets_them():
    text = run(["-c", SCRIPT]).stdout.decode()
    assert "┏━" in text and "größe_中" in text


def test_a_table_is_never_drawn_with_signs_of_two_kinds():
    # cp437 has the thin lines and lacks the thick ones.
    assert encodable("━─", "cp437") == "=-" and encodable("─", "cp437") == "─"


@pytest.mark.parametrize("command", [["--help"], ["doctor"]])
def test_commands_write_to_a_stream_that_lacks_signs(command):
    done = run(["-m", "nacre", *command], PYTHONIOENCODING="ascii", NACRE_CACHE="/tmp/größe")
    assert done.returncode == 0, done.stderr.decode()


# ------------------------------------------------------------------ the command


def test_python_m_nacre_is_the_command():
    done = run(["-m", "nacre", "--version"])
    assert done.stdout.decode().strip() == nacre.__version__


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_reader_that_leaves_early_is_an_ordinary_end():
    words = f'"{sys.executable}" -m nacre doctor'
    # A reader that is gone before the first byte; the shell tells the status of the writer.
    shell = f"({words}; echo status $? >&2) | true"
    done = subprocess.run(
        ["sh", "-c", shell], cwd=ROOT, capture_output=True, timeout=120, check=True
    )
    assert done.stderr.decode().strip() == "status 0"


def test_an_unknown_option_points_at_the_help_of_its_command(capsys):
    from nacre.cli.main import main

    with pytest.raises(SystemExit) as leave:
        main(["doctor", "--fix"])
    assert leave.value.code == 2
    assert "nacre doctor: no argument '--fix'.\nSee: nacre doctor --help" in capsys.readouterr().err


def test_a_misspelt_option_gets_the_nearest(capsys):
    from nacre.cli.main import main

    with pytest.raises(SystemExit):
        main(["summary", "a.keras", "--trainble"])
    assert "Did you mean --trainable?" in capsys.readouterr().err


def test_cache_shows_and_deletes_what_can_be_made_again(tmp_path, monkeypatch, capsys):
    from nacre.cli.main import main

    monkeypatch.setenv("NACRE_CACHE", str(tmp_path))
    for name in ("compiled", "native", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x" * 2_000_000)
    (tmp_path / "compiled" / "link").symlink_to(tmp_path / "mine" / "file")
    assert main(["cache"]) == 0
    assert "2.0 MB in 2 files" in capsys.readouterr().out
    assert main(["cache", "clean"]) == 0
    assert "deleted 2 files, 2.0 MB" in capsys.readouterr().out
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert left == ["mine/file"]


def test_cache_leaves_a_folder_alone_that_is_a_link(tmp_path, monkeypatch, capsys):
    from nacre.cli.main import main

    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").write_text("x")
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "compiled").symlink_to(mine)
    assert main(["cache", "clean"]) == 0
    assert (mine / "file").exists()


# ------------------------------------------------------------------ tab completion


@pytest.mark.parametrize("name", NAMESPACES)
def test_tab_completion_shows_public_names_alone(name):
    module = importlib.import_module(f"nacre.{name}")
    assert dir(module) == sorted(module.__all__)


def test_every_public_folder_is_among_them():
    folders = {m.name for m in pkgutil.iter_modules([str(ROOT / "nacre")]) if m.ispkg}
    inner = {"cli", "core", "training"}  # nobody types these
    of_its_own = {"tf"}  # `import nacre` shows nothing of it; its names are TensorFlow's
    assert folders - inner - of_its_own <= set(NAMESPACES)


# ------------------------------------------------------------------ notebooks

NOTEBOOK = """
import time, numpy as np, nacre

class Slow(nacre.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.05)

class Slower(nacre.callbacks.Callback):
    def on_test_batch_end(self, batch, logs=None):
        time.sleep(0.3)

model = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(1)])
model.compile("sgd", "mse")
x, y = np.ones((64, 4)), np.ones((64, 1))
"""


@pytest.fixture(scope="module")
def notebook():
    nbformat = pytest.importorskip("nbformat", reason="notebooks need nbformat")
    nbclient = pytest.importorskip("nbclient", reason="notebooks need nbclient")
    pytest.importorskip("ipykernel", reason="notebooks need ipykernel")
    cells = [
        NOTEBOOK,
        "history = model.fit(x, y, epochs=3, callbacks=[Slow()])",
        "for fold in range(3):\n    model.fit(x, y, epochs=1, batch_size=64)",
        "model.evaluate(x, y, callbacks=[Slower()])",
        "history = model.fit(x, y, epochs=100)",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbclient.NotebookClient(
        book,
        timeout=120,
        kernel_name="python3",
        coalesce_streams=True,  # as Jupyter shows them
        resources={"metadata": {"path": str(ROOT)}},
    ).execute()
    return book


def outputs(notebook, cell):
    return notebook.cells[cell]["outputs"]


@pytest.mark.slow
def test_fit_in_a_notebook_is_one_output_and_needs_no_widget(notebook):
    (output,) = outputs(notebook, 1)
    assert output["output_type"] == "display_data" and list(output["data"]) == ["text/plain"]
    *epochs, last = output["data"]["text/plain"].splitlines()
    assert len(epochs) == 3 and all("loss" in line for line in epochs)
    assert last.startswith("3 epochs in ")


@pytest.mark.slow
def test_a_long_fit_in_a_notebook_ends_as_a_short_table(notebook):
    (output,) = outputs(notebook, 4)
    lines = output["data"]["text/plain"].splitlines()
    assert len(lines) == 42 and "60 lines" in lines[10]
    assert [line.split()[1] for line in (lines[0], lines[9], lines[11], lines[40])] == [
        "1/100", "10/100", "71/100", "100/100",
    ]  # fmt: skip


@pytest.mark.slow
def test_fit_in_a_loop_in_a_notebook_shares_one_live_output(notebook):
    drawn = [o for o in outputs(notebook, 2) if o["output_type"] == "display_data"]
    assert len(drawn) == 1


@pytest.mark.slow
def test_evaluate_in_a_notebook_prints_its_line_and_leaves_no_bar(notebook):
    text = "".join(o.get("text", "") for o in outputs(notebook, 3))
    assert text.startswith("Evaluate - ") and "\r" not in text
    drawn = [o for o in outputs(notebook, 3) if o["output_type"] == "display_data"]
    assert [o["data"]["text/plain"] for o in drawn] == ["2 steps"]
