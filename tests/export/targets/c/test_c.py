"""C files: whole nets compiled with all warnings as errors and with sanitizers, run by their own
`main`, at sizes they were not traced with."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core import tree
from nacre.core.errors import ArgumentError, UnsupportedOpError
from nacre.core.regions import as_bytes
from nacre.export.api import prepared
from nacre.export.targets import find_target
from nacre.export.targets.c import types
from nacre.export.targets.c.readback import open_folder
from nacre.export.targets.c.write import signature
from nacre.export.targets.target import Request
from nacre.testing.graph_ops import CASES
from tests.cases.nets import NETS, drawn

layers = nacre.layers
COMPILER = shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler is on the path")
OPTIONS = {"prefix": "model", "weights_in": "source"}
BY_ID = {case.id: case for case in NETS}
STRICT = (
    "-std=c99 -pedantic -Wall -Wextra -Wconversion -Wshadow -Werror -O1 -g1 "
    "-fsanitize=address,undefined -fno-sanitize-recover=all"
).split()
SOME = (
    "mlp", "cnn", "cnn_channels_first", "mobile", "unet", "images_of_any_size", "volumes",
    "causal_convolutions", "lstm", "masked_bidirectional", "gru", "transformer", "named_inputs", "recommender",
)  # fmt: skip


def compiled(folder: Path, *flags: str) -> Path:
    """The program of a folder."""
    program = folder / "program"
    command = [str(COMPILER), *(flags or STRICT), "main.c", "model.c", "-lm", "-o", str(program)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def answers(program: Path, sizes: Any, arrays: Any) -> np.ndarray:
    """All numbers that a program prints."""
    numbers = "\n".join(repr(float(x)) for array in arrays for x in np.ravel(array))
    done = subprocess.run(
        [str(program), *map(str, sizes)], input=numbers, capture_output=True, text=True,
        cwd=program.parent, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return np.array(done.stdout.split(), float)


@pytest.mark.slow
@pytest.mark.parametrize("name", SOME)
def test_a_whole_net_compiles_strictly_and_gives_what_the_model_gives(
    name: str, tmp_path: Path
) -> None:
    nacre.backend.clear_session()
    nacre.utils.set_random_seed(1)
    model = BY_ID[name].builder(nacre)
    report = model.export(tmp_path / "net", format="c", verbose=False)
    assert report.is_verified
    said = signature((tmp_path / "net" / "model.h").read_text())
    program = compiled(tmp_path / "net")
    run = open_folder(tmp_path / "net")
    for call in (0, 1):
        given = drawn(BY_ID[name], call)
        arrays = [np.asarray(x) for x in tree.flatten(given)]
        right = [np.asarray(x) for x in tree.flatten(model(given))]
        sizes = {
            text: n
            for spec, x in zip(said["inputs"], arrays)
            for text, n in zip(spec["shape"], x.shape)
        }
        known = [
            sizes.get(s)
            or next(n // int(t.split("*")[0]) for t, n in sizes.items() if f"*{s}" in t)
            for s in said["sizes"]
        ]
        for one, wanted in zip(run(arrays), right, strict=True):
            np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-5)
        printed = answers(program, known, arrays)
        wanted = np.concatenate([x.ravel() for x in right])
        np.testing.assert_allclose(printed, wanted, rtol=1e-4, atol=1e-5)


def small() -> Any:
    nacre.utils.set_random_seed(0)
    x = nacre.Input((4,), name="features")
    hidden = layers.Dense(5, activation="gelu", name="hidden")(x)
    outputs = [layers.Dense(2, activation="softmax", name="out")(hidden), hidden]
    return nacre.Model(x, outputs, name="small")


@pytest.mark.slow
def test_all_files_of_all_ops_compile_strictly(tmp_path: Path) -> None:
    target, names = find_target("c", "test"), []
    for number, case in enumerate(CASES):
        graph = prepared(case.graph(), target)
        if target.support.gaps(graph):
            continue
        for name, text in target.write(Request(graph, "m", OPTIONS)).items():
            own = f"{number}_{name}"
            content = as_bytes(text).replace(b'"model.h"', f'"{number}_model.h"'.encode())
            (tmp_path / own).write_bytes(content)
            names += [own] if own.endswith(".c") else []
    flags = [flag for flag in STRICT if not flag.startswith(("-f", "-O", "-g"))]
    for start in range(0, len(names), 100):
        some = [str(COMPILER), *flags, "-fsyntax-only", *names[start : start + 100]]
        done = subprocess.run(some, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_model_of_16_bits_is_computed_in_32(tmp_path: Path) -> None:
    stack = [
        layers.Dense(5, activation="relu", dtype="mixed_bfloat16"),
        layers.Dense(2, dtype="float16"),
    ]
    model = nacre.Sequential([nacre.Input((6,), name="x"), *stack])
    assert model.export(tmp_path / "m", format="c", verbose=False).is_verified
    assert "float *dense" in (tmp_path / "m" / "model.h").read_text()
    program, x = compiled(tmp_path / "m"), np.ones((2, 6), "float32")
    np.testing.assert_allclose(answers(program, [2], [x]), np.ravel(model(x)), rtol=2e-2, atol=2e-2)


def test_the_program_reads_and_prints_numbers(tmp_path: Path) -> None:
    model, x = small(), np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    model.export(tmp_path / "m", format="c", verbose=False)
    printed = answers(compiled(tmp_path / "m"), [3], [x])
    wanted = np.concatenate([np.ravel(y) for y in model(x)])
    np.testing.assert_allclose(printed, wanted, rtol=1e-5, atol=1e-6)


def test_weights_may_be_in_a_file_of_their_own(tmp_path: Path) -> None:
    model, x = small(), np.ones((2, 4), "float32")
    report = model.export(
        tmp_path / "m", format="c", weights_in="file", prefix="iris", verbose=False
    )
    assert report.is_verified
    text = (tmp_path / "m" / "model.c").read_text()
    assert "int iris_run(" in text
    assert "static const" not in text
    wanted = np.concatenate([np.ravel(y) for y in model(x)])
    np.testing.assert_allclose(answers(compiled(tmp_path / "m"), [2], [x]), wanted, atol=1e-6)


def test_two_models_fit_into_one_program_that_tells_too_little_memory(tmp_path: Path) -> None:
    for prefix in ("first", "second"):
        small().export(tmp_path / prefix, format="c", prefix=prefix, verbose=False)
        shutil.copy(tmp_path / prefix / "model.c", tmp_path / f"{prefix}.c")
        text = (tmp_path / f"{prefix}.c").read_text()
        (tmp_path / f"{prefix}.c").write_text(text.replace('"model.h"', f'"{prefix}/model.h"'))
    (tmp_path / "both.c").write_text("""
#include <stdio.h>
#include "first/model.h"
#include "second/model.h"
int main(void)
{
    static unsigned char arena[4096];
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    float a[4], b[4], hidden[10];
    const size_t needed = first_arena_bytes(2);
    if (needed > sizeof arena) return 1;
    if (first_run(x, a, hidden, 2, arena, needed - 1) != 2) return 2;
    if (first_run(x, a, hidden, -1, arena, needed) != 1) return 3;
    /* At any address. */
    if (first_run(x, a, hidden, 2, arena + 3, needed) != 0) return 4;
    if (second_run(x, b, hidden, 2, arena, needed) != 0) return 5;
    for (int i = 0; i < 4; ++i) if (a[i] != b[i]) return 6;
    return 0;
}
""")
    command = [str(COMPILER), *STRICT, "both.c", "first.c", "second.c", "-lm", "-o", "both"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([str(tmp_path / "both")], check=False).returncode == 0


def test_results_may_go_to_where_inputs_are(tmp_path: Path) -> None:
    x = nacre.Input((3,), name="x")
    swapped = nacre.Model(x, [nacre.ops.flip(x, 1), x])
    swapped.export(tmp_path / "m", format="c", verbose=False)
    (tmp_path / "m" / "main.c").write_text("""
#include "model.h"
int main(void)
{
    static char arena[1024];
    float x[3] = {1, 2, 3}, y[3];
    if (model_run(x, x, y, 1, arena, sizeof arena) != 0) return 1;
    return !(x[0] == 3 && x[2] == 1 && y[0] == 1 && y[2] == 3);
}
""")
    text = (tmp_path / "m" / "model.h").read_text()
    assert "const float *x" in text
    assert subprocess.run([str(compiled(tmp_path / "m"))], check=False).returncode == 0


def test_what_has_no_form_in_c_is_told_with_what_to_do(tmp_path: Path) -> None:
    texts = nacre.layers.StringLookup(vocabulary=["a", "b"])
    x = nacre.Input((1,), dtype="string")
    with pytest.raises(UnsupportedOpError, match="Texts stay outside") as raised:
        nacre.Model(x, texts(x)).export(tmp_path / "m", format="c", verbose=False)
    assert "format='npz'" in str(raised.value)
    with pytest.raises(ArgumentError, match="prefix must be a name in C"):
        small().export(tmp_path / "m", format="c", prefix="my model")
    assert not list(tmp_path.iterdir())


def test_names_that_c_has_for_itself_are_changed(tmp_path: Path) -> None:
    a, b = nacre.Input((2,), name="double"), nacre.Input((2,), name="batch")
    model: Any = nacre.Model([a, b], {"int": a + b, "*/ evil": a * b}, name="odd */ name")
    report = model.export(tmp_path / "m", format="c", verbose=False)
    assert report.is_verified
    compiled(tmp_path / "m")


def test_memory_is_used_again(tmp_path: Path) -> None:
    stack = [layers.Dense(64, activation="relu") for _ in range(20)]
    model = nacre.Sequential([nacre.Input((64,)), *stack])
    assert model.export(tmp_path / "m", format="c", verbose=False).is_verified
    text = (tmp_path / "m" / "model.c").read_text()
    assert "o[1] = bytes" in text
    assert "o[2] = bytes" not in text


def test_what_is_read_later_is_not_written_over(tmp_path: Path) -> None:
    x = nacre.Input((4,), name="x")
    hidden = layers.Dense(4, name="hidden")(x)
    flat = layers.Reshape((2, 2))(hidden)
    outputs = [nacre.ops.tanh(hidden), nacre.ops.exp(flat), hidden, nacre.ops.relu(x), x]
    model = nacre.Model(x, [*outputs, nacre.ops.sin(nacre.ops.tanh(hidden))])
    model.export(tmp_path / "m", format="c", verbose=False)
    given = np.float32([[1, -2, 3, -4], [0, 1, 0, -1]])
    wanted = np.concatenate([np.ravel(y) for y in model(given)])
    found = answers(compiled(tmp_path / "m"), [2], [given])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_many_weights_belong_into_a_file(tmp_path: Path, monkeypatch: Any) -> None:
    module = importlib.import_module("nacre.export.targets.c.write")
    monkeypatch.setattr(module, "MOST_IN_SOURCE", 36)
    with pytest.raises(ArgumentError, match="36 numbers at most. Got 37 .*weights_in='file'"):
        small().export(tmp_path / "m", format="c")
    assert small().export(tmp_path / "m", format="c", weights_in="file", verbose=False).is_verified


def test_without_a_compiler_it_is_said_where_there_is_one(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("nacre.export.targets.c.readback.compiler", lambda: "")
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda n: None if n == "ziglang" else found(n))
    report = small().export(tmp_path / "m", format="c", verbose=False)
    assert "not verified: pip install 'ziglang'" in str(report)
    assert (tmp_path / "m" / "model.c").exists()


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (1.0, "float32", "1.0f"),
        (1e-20, "float32", "9.99999968e-21f"),
        (0.1, "float64", "0.10000000000000001"),
        (float("nan"), "float32", "NAN"),
        (float("-inf"), "float32", "-INFINITY"),
        (-(2**63), "int64", "INT64_MIN"),
        (-(2**31), "int32", "INT32_MIN"),
        (2**64 - 1, "uint64", "UINT64_C(18446744073709551615)"),
        (True, "bool", "1"),
    ],
)
def test_numbers_are_written_so_that_c_reads_the_same(value: Any, dtype: str, text: str) -> None:
    assert types.number(value, dtype) == text
