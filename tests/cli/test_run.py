"""`nacre run` runs scripts, modules and notebooks as Python does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nacre.cli._notebooks import as_python


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-m", "nacre", "run", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_a_script_has_its_arguments_its_folder_and_its_name(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("value = 5")
    (tmp_path / "script.py").write_text(
        "import sys, helper, tensorflow as tf\n"
        "assert __name__ == '__main__' and __file__ == 'script.py'\n"
        "class A: pass\n"
        "import pickle; pickle.loads(pickle.dumps(A()))\n"
        "print(sys.argv, helper.value, tf.__version__)\n"
    )
    done = run("script.py", "--epochs", "3", "-m", "x", folder=tmp_path)
    assert done.stdout.strip() == "['script.py', '--epochs', '3', '-m', 'x'] 5 2.15.1", done.stderr
    assert done.stderr.count("\n") == 1 and "brings nacre here" in done.stderr


def test_exit_statuses_are_the_scripts(tmp_path: Path) -> None:
    (tmp_path / "leave.py").write_text("raise SystemExit(7)")
    (tmp_path / "fail.py").write_text("def f():\n    open('none')\nf()")
    assert run("leave.py", folder=tmp_path).returncode == 7
    done = run("fail.py", folder=tmp_path)
    assert done.returncode == 1 and "FileNotFoundError" in done.stderr
    assert 'File "fail.py", line 3' in done.stderr and "nacre/cli" not in done.stderr


@pytest.mark.parametrize("words", [("one.py",), ("-m", "one")])
def test_a_script_starts_before_jax_is_there(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import sys; print('jax' in sys.modules)")
    assert run("-q", *words, folder=tmp_path).stdout == "False\n"


def test_a_module_is_run(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__main__.py").write_text("import keras, sys; print(sys.argv[1:])")
    done = run("-q", "-m", "package", "a", "b", folder=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("['a', 'b']\n", "", 0)


def test_a_notebook_is_run(tmp_path: Path) -> None:
    sources = [
        "%matplotlib inline\n!pip install tensorflow\nx = 3\nx + 1",
        "%%time\nif x:\n    %time print('y')\nx;",
        "%%bash\nrm -rf /nothing",
        "%%writefile kept.txt\nhello",
        "%%writefile -a kept.txt\n, héllo",
        "1 / 0",
    ]
    cells = [{"cell_type": "code", "source": s.splitlines(keepends=True)} for s in sources]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    done = run("n.ipynb", folder=tmp_path)
    assert done.stdout.splitlines() == ["4", "y"] and done.returncode == 1
    assert "n.ipynb, cell 6" in done.stderr
    assert (tmp_path / "kept.txt").read_text(encoding="utf-8") == "hello, héllo"


@pytest.mark.parametrize("words", [[], ["none.py"]])
def test_nothing_to_run_is_told_in_a_line(words: list[str], tmp_path: Path) -> None:
    done = run(*words, folder=tmp_path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1


def test_lines_of_a_cell_keep_their_numbers() -> None:
    cell = "%%time\nx = 1\n  !ls\ny = 2"
    assert len(as_python(cell).splitlines()) == len(cell.splitlines())


@pytest.mark.parametrize(
    "cell",
    [
        "print(\n    'loss %d'\n    % 3\n)",
        'text = """\n%s is\n!important\n"""',
        "x = 'a %s' \\\n% 'b'",
        "if x:\n    y = [\n        7\n        % 2\n    ]",
    ],
)
def test_what_stands_within_a_statement_is_no_magic(cell: str) -> None:
    assert as_python(cell) == cell
    assert as_python(f"!ls\n{cell}\n%pwd") == f"pass  # !ls\n{cell}\npass  # %pwd"


def test_a_command_of_several_lines_is_left_out_whole() -> None:
    found = as_python("!pip install \\\n  keras \\\n  numpy\nx = 1  # a path: C:\\\n%pwd")
    assert [line for line in found.split("\n") if line[:1] not in "#p"] == ["x = 1  # a path: C:\\"]
    compile(found, "cell", "exec")


def test_what_is_timed_runs_without_the_options_of_timing() -> None:
    for magic in ("%time", "%timeit", "%timeit -n 10 -r3", "%timeit -qo"):
        assert as_python(f"  {magic} f(x, -1)") == "  f(x, -1)"
    assert as_python("%timeit") == "pass  # %timeit"


def test_cells_that_ask_for_help_or_keep_what_a_command_prints_are_python() -> None:
    from nacre.cli._notebooks import as_python

    text = as_python("files = !echo a; echo b\n?len\nlen??\nsum?\nb = 1 if files else 2")
    scope: dict[str, object] = {}
    exec(text, scope)
    assert scope["files"] == ["a", "b"] and scope["b"] == 1
    assert as_python("x != 3") == "x != 3" and as_python("x = not y") == "x = not y"


def test_a_shape_is_one_value_in_a_text(tmp_path: Path) -> None:
    code = """
import tensorflow as tf
x = tf.zeros([2, 3])
print("a %s" % x.shape, "b %s" % x.shape[1:], "c %s %d" % (x.shape, 3), f"d %{'s'}" % x.shape)
print("e %s %s" % tuple(x.shape), "f " + "%s" % x.shape, 7 % 4, "g %(n)s" % {"n": x.shape})
@tf.function
def f(x):
    print("h %s" % x.shape)
    return x if tf.reduce_sum(x) > 0 else -x
f(x)
"""
    (tmp_path / "script.py").write_text(code)
    cell = {"cell_type": "code", "source": code.partition("@")[0]}
    (tmp_path / "notes.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    lines = [
        "a (2, 3) b (3,) c (2, 3) 3 d (2, 3)",
        "e 2 3 f (2, 3) 3 g (2, 3)",
        "h (2, 3)",
    ]
    for name, wanted in (("script.py", lines), ("notes.ipynb", lines[:2])):
        done = run("-q", name, folder=tmp_path)
        assert done.stdout.splitlines() == wanted and not done.stderr


def test_a_shape_is_one_value_in_texts_of_modules_and_their_bytecode_stays_plain(
    tmp_path: Path,
) -> None:
    package = tmp_path / "parts"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("def told(x):\n    return 'inner %s' % x.shape\n")
    outer = "import tensorflow as tf\nfrom parts.inner import told\nx = tf.zeros([2, 3])\n"
    outer += "print('outer %s' % x.shape, 'one %s' % x.shape[:1], told(x))\n"
    (tmp_path / "outer.py").write_text(outer)
    (tmp_path / "script.py").write_text("import outer")
    (tmp_path / "plain.py").write_text(
        "from parts.inner import told\nclass Shaped: shape = (7,)\nprint(told(Shaped))\n"
    )
    for words in (["script.py"], ["-m", "outer"], ["script.py"]):  # also a second time
        done = run("-q", *words, folder=tmp_path)
        assert done.stdout == "outer (2, 3) one (2,) inner (2, 3)\n" and not done.stderr
    plain = [sys.executable, "plain.py"]
    assert subprocess.check_output(plain, cwd=tmp_path, text=True) == "inner 7\n"
    assert run("-q", "script.py", folder=tmp_path).stdout.startswith("outer (2, 3)")


def test_a_module_that_is_no_python_is_told_as_python_tells_it(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = '%s' % (\n")
    (tmp_path / "script.py").write_text("import broken")
    done = run("-q", "script.py", folder=tmp_path)
    assert done.returncode == 1 and "SyntaxError" in done.stderr and "broken.py" in done.stderr
    assert "nacre" not in done.stderr
