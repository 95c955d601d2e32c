"""Compiled kernels touch no number that is not theirs: run by themselves, with sanitizers; and on
another processor they give the same.

Each call of a kernel is noted while the kernel runs under XLA, and made again by a program of the
same source in which every array ends where its block ends. `handler_driver.cc` is that program.
"""

from __future__ import annotations

import functools
import math
import shutil
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre.ops.kernels import (
    activation,
    adam_native,
    attention,
    classes,
    convolution_native,
    guard_native,
    layer_norm,
    pooling_native,
    products,
    quantized,
    recurrent_native,
)
from nacre.ops.kernels.convolution_geometry import Geometry
from nacre.ops.kernels.native import compiler, library, table
from tests import native

pytestmark = pytest.mark.slow  # each compiles for some seconds
FLAGS = "-std=c++17 -fno-math-errno -pthread -rdynamic".split()
KINDS = {
    "memory": "-O1 -g1 -march=native -fsanitize=address,undefined -fno-sanitize-recover=all",
    "threads": "-O1 -g1 -march=native -fsanitize=thread",
}
# Of this one's family, with other instructions; what cannot run here is skipped.
PROCESSORS = {
    "AVX-512 without VNNI": "-O2 -march=skylake-avx512",
    "AVX with VNNI": "-O2 -march=x86-64-v3 -mavxvnni",
    "AVX2": "-O2 -march=x86-64-v3",
    "SSE2": "-O2 -march=x86-64",
}
# Another processor's compiler and what runs its programs here: Debian's g++-aarch64-linux-gnu and
# qemu-user.
ARM = "aarch64-linux-gnu-g++", ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")
DTYPES = {
    "bool": 1,
    "int8": 2,
    "int32": 4,
    "uint8": 6,
    "float32": 11,
    "bfloat16": 16,
}  # of XLA's c_api.h


def draw(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


def bare(function):
    """The calls themselves, of arrays at hand, without what gives them derivatives."""
    return function.__wrapped__


def dense(dtype="float32"):
    def draw_as(seed, *shape):
        return draw(seed, *shape).astype(dtype)

    def sized(array, dtype=dtype):
        return jax.ShapeDtypeStruct(array.shape, dtype)

    sizes = [(1, 1, 1), (8, 300, 17), (9, 33, 65), (16, 256, 64), (7, 513, 129), (260, 31, 130)]
    for rows, features, units in [*sizes, (131, 64, 16), (3, 1030, 70), (300, 520, 64)]:
        x, kernel = draw_as(0, rows, features), draw_as(1, features, units)
        g = draw_as(2, rows, units)
        bare(products._forward)(x, kernel, None)
        bare(products._forward)(x, kernel, draw(3, units))
        bare(products._input_gradient)(g, kernel)
        bare(products._kernel_gradient)(x, g)
    for rows, features, units in sizes:  # three samples, as under `jax.vmap`
        x, kernel = draw_as(0, 3, rows, features), draw_as(1, 3, features, units)
        g, bias = draw_as(2, 3, rows, units), draw(3, 3, units)
        products._call("forward", sized(g))(x, kernel, bias)
        products._call("input_gradient", sized(x))(g, kernel)
        slopes = products._call("kernel_gradient", sized(kernel), sized(bias, "float32"))
        slopes(x, g, features=np.int64(features), units=np.int64(units))


halves = functools.partial(dense, "bfloat16")


def activations():
    for size in (1, 15, 16, 17, 70001):
        for kind in ("gelu", "tanh_gelu", "silu"):
            bare(activation._forward)(kind, draw(0, size))
            bare(activation._gradient)(kind, draw(0, size), draw(1, size))


def norms():
    for rows, size in [(1, 1), (33, 15), (64, 64), (70, 129), (5, 1000)]:
        x, g = draw(0, rows, size), draw(1, rows, size)
        for scale, offset in [(None, None), (draw(2, size), draw(3, size))]:
            for is_centred in (False, True):
                statistics = bare(layer_norm._kept_forward)(1e-3, is_centred, x, scale, offset)[1]
                bare(layer_norm._gradients)(1e-3, is_centred, x, scale, offset, statistics, g)
    for rows, size in [(1, 1), (33, 15), (5, 1000)]:  # three samples, as under `jax.vmap`
        x, g = draw(0, 3, rows, size), draw(1, 3, rows, size)
        for given in (size, 0):
            scale, offset = draw(2, 3, given), draw(3, 3, given)
            shapes, epsilons = (x.shape, (3, rows, 3)), jnp.full((3,), 1e-3)
            run = functools.partial(layer_norm._call, is_centred=True)
            _, kept = run("layer_norm_forward", shapes, (x, scale, offset, epsilons))
            shapes = x.shape, (3, size), (3, size)
            run("layer_norm_backward", shapes, (x, scale, offset, kept, g))


def attentions():
    for sources, heads, size, causal in [(9, 2, 5, False), (70, 4, 40, True), (64, 2, 16, False)]:
        query, key = draw(0, 2, 11, heads, size), draw(1, 2, sources, 2, size)
        value, g = draw(2, 2, sources, 2, size + 3), draw(3, 2, 11, heads, size + 3)
        for mask in (None, draw(4, 2, 1, 11, sources) > 0):
            keep = None if mask is None else draw(5, 2, heads, 11, sources) > 0
            options = attention.Options(0.3, causal, 1.5)
            arguments = options, mask, keep, query, key, value
            kept = bare(attention._kept_forward)(*arguments)
            bare(attention._gradients)(*arguments, *kept, g)
            few = mask if mask is None else mask[:, :, :3]
            bare(attention._attend_few_queries_once)(options, few, query[:, :3], key, value)


GEOMETRIES = [  # sizes, window, strides, padding, dilation, groups, channels, filters
    ((9, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1, 5, 17),
    ((7, 11), (3, 2), (2, 3), ((0, 1), (1, 0)), (1, 2), 1, 16, 33),
    ((10,), (4,), (2,), ((1, 2),), (1,), 2, 6, 8),
    ((3, 5, 4), (2, 2, 2), (1, 2, 1), ((0, 0), (1, 1), (0, 1)), (1, 1, 1), 1, 3, 4),
    ((12, 9), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 19, 19, 19),
    ((1, 1), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 1, 1),
]


def geometry_of(sizes, window, strides, padding, dilation, groups):
    return Geometry(sizes, window, strides, padding, dilation, groups, "own")


def convolutions():
    for *numbers, channels, filters in GEOMETRIES:
        geometry = geometry_of(*numbers)
        x = draw(0, 3, *geometry.sizes, channels)
        kernel = draw(1, *geometry.window, channels // geometry.groups, filters)
        dy = draw(2, 3, *geometry.outputs, filters)
        bare(convolution_native.forward)(geometry, x, kernel)
        bare(convolution_native.input_gradient)(geometry, dy, kernel)
        bare(convolution_native.kernel_gradient)(geometry, x, dy)


def bytes_products():
    rounding = quantized.Rounding(-127, 127, 1e-7)
    whole = lambda seed, *shape: (20 * draw(seed, *shape)).astype(jnp.int8)
    sizes = [(1, 1, 1), (1, 67, 1300), (2, 65, 200), (4, 34, 144), (7, 513, 129), (3, 130, 64)]
    for rows, features, units in [
        *sizes,
        (520, 31, 70),
        (1, 600, 1024),
        (8, 67, 1100),
        (2, 9, 4100),
    ]:
        x, numbers = draw(0, rows, features), whole(1, features, units)
        scale = jnp.abs(draw(2, units)) + 1
        for bias in (None, draw(3, units)):
            quantized.quantized_dense(x, numbers, scale, bias, rounding)
            quantized.quantized_dense(x, jnp.array(numbers.T), scale, bias, rounding, True)
        quantized.int8_matmul(whole(4, rows, features), numbers)


def pools():
    for *numbers, dilation, _, _, channels in GEOMETRIES:
        geometry = geometry_of(*numbers, (1,) * len(dilation), channels)
        x = draw(0, 3, *geometry.sizes, channels)
        pooling_native.highest(geometry, x)
        _, winners = pooling_native.highest_and_winners(geometry, x)
        pooling_native.put_at_winners(geometry, winners, draw(1, *winners.shape))


def recurrences():
    cell = None  # the formulas in plain JAX
    for kind in recurrent_native.GATES:
        for batch, time, units in [(1, 1, 1), (5, 3, 17), (9, 2, 40)]:
            columns = recurrent_native.GATES[kind] * units
            x, states = draw(0, batch, time, 7), (draw(1, batch, units),) * (1 + (kind == "lstm"))
            bias = draw(2, *((2,) if kind == "gru" else ()), columns)
            weights = draw(3, 7, columns), draw(4, units, columns), bias
            for mask in (None, draw(5, batch, time) > 0):
                bare(recurrent_native._forward_alone)(
                    kind, cell, mask is None, x, states, weights, mask
                )
                kept = bare(recurrent_native._kept_forward)(kind, cell, x, states, weights, mask)
                slopes = draw(6, batch, time, units)
                bare(recurrent_native._all_gradients)(
                    kind, cell, mask, x, states, weights, *kept, slopes, states
                )


def nibbles():
    rng = np.random.default_rng(0)
    for rows, features, units, block in [(1, 64, 130, 128), (7, 130, 64, 64), (3, 5, 7, 2)]:
        blocks = -(-features // block)
        packed = rng.integers(-128, 128, (features, (units + 1) // 2), dtype="int8")
        zero = rng.integers(-8, 8, (blocks, units), dtype="int8")
        quantized.int4_product(draw(0, rows, features), packed, draw(1, blocks, units), zero, block)
        numbers = rng.integers(-128, 128, (features, units), dtype="int8")
        quantized.bytes_product(draw(0, rows, features), numbers, jnp.abs(draw(1, units)) + 1)


def updates():
    sizes = [(3,), (70001,), (1,), (16, 16), (17,)]
    old, new, slopes = ([draw(10 * i + j, *s) for j, s in enumerate(sizes)] for i in range(3))
    squares = [jnp.square(array) for array in new]
    decays = [None, 0.1, None, 0.2, None]
    adam_native._call((0.9, 0.99, 1e-7), False, 0.1, decays, old, new, squares, slopes)


def choices():
    sizes = [(3,), (70001,), (1,), (16, 16), (17,)]
    old, new = ([draw(10 * i + j, *s) for j, s in enumerate(sizes)] for i in range(2))
    for is_fine, first in [(True, 1.0), (False, 1.0), (True, jnp.nan)]:
        changed = [new[0] * first, *new[1:]]
        guard_native.choose(jnp.asarray(is_fine), table.GuardWork(old, changed, 3))


def scores():
    for rows, size in [(1, 1), (33, 15), (5, 1000), (3, 64), (700, 65)]:
        x, labels = draw(0, rows, size), jnp.arange(rows, dtype="int32") % (size + 1) - 1
        bare(classes._highest)(x)
        _, norms = bare(classes._kept_forward)(x, labels)
        bare(classes._gradient)(x, labels, norms, draw(1, rows))


@functools.cache
def noted(of, work):
    """The calls that some work makes: handler, attributes, arguments and results."""
    calls = []
    real = library.Library.call

    def call(self, handler, results, **options):
        run = real(self, handler, results, **options)

        def noting(*arguments, **attributes):
            made = run(*arguments, **attributes)
            given = [np.asarray(array) for array in arguments]
            found = [np.asarray(array) for array in jax.tree.leaves(made)]
            calls.append((handler, attributes, given, found))
            return made

        return noting

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library.Library, "call", call)
        work()
    assert {handler for handler, *_ in calls} == set(of.handlers)
    return calls


@pytest.fixture(scope="module", autouse=True)
def calls_are_forgotten():
    yield
    noted.cache_clear()


def packed(handler, attributes, arguments, results):
    """A call as the driver reads it."""
    numbers = struct.Struct("q").pack

    def word(text):
        return numbers(len(text)) + text.encode()

    def header(array):
        sizes = b"".join(map(numbers, array.shape))
        return (
            numbers(DTYPES[array.dtype.name]) + numbers(array.ndim) + sizes + numbers(array.nbytes)
        )

    parts = [word(handler), *map(numbers, map(len, (arguments, results, attributes)))]
    parts += [header(array) + array.tobytes() for array in arguments]
    parts += [header(array) for array in results]
    parts += [word(name) + numbers(int(value)) for name, value in attributes.items()]
    return b"".join(parts)


class Driver(NamedTuple):
    """What makes programs of one sanitizer, or of another processor, and what runs them."""

    compiler: list[str]
    compiled: Path  # what is the same in the programs of all sources
    runs: list[str]

    def program(self, folder: Path, source: str) -> list[str]:
        """The command that runs the program of a source."""
        program = folder / "program"
        files = [self.compiled, compiler.SOURCES / source]
        made = subprocess.run(
            [*self.compiler, *files, "-ldl", "-o", program],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        return [*self.runs, str(program)]


def driver(folder: Path, kind: str) -> Driver | str:
    """The driver of a kind, or why there is none here."""
    empty, program, compiled = folder / "empty.cc", folder / "program", folder / "driver.o"
    empty.write_text("int main() {}")
    paths = ["-I", jax.ffi.include_dir(), "-I", str(compiler.SOURCES)]
    runs: list[str] = []
    if kind.startswith("arm"):
        if shutil.which(ARM[0]) is None or shutil.which(ARM[1][0]) is None:
            return f"no {ARM[0]} or {ARM[1][0]}"
        options = ["-O3", *(["-march=armv8.2-a+dotprod"] if "dot" in kind else [])]
        runs, command = [*ARM[1]], [ARM[0], *FLAGS, *options, *paths]
    else:
        options = (KINDS[kind] if kind in KINDS else PROCESSORS[kind]).split()
        command = [*compiler.find_compiler(), *FLAGS, *options, *paths]
    for words in ([*command, empty, "-o", program], [*runs, program]):
        if subprocess.run(words, capture_output=True, check=False).returncode:
            return f"no way to check {kind} with {command[0]}"
    own = Path(__file__).with_name("handler_driver.cc")
    made = subprocess.run(
        [*command, "-c", own, "-o", compiled], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return Driver(command, compiled, runs)


@pytest.fixture(scope="module")
def drivers(tmp_path_factory):
    """The driver of a kind, compiled when it is first asked for."""
    return functools.cache(lambda kind: driver(tmp_path_factory.mktemp(kind), kind))


@pytest.mark.parametrize("kind", [*KINDS, "arm"])
@pytest.mark.parametrize(
    ("of", "work"),
    [
        (library.DENSE, dense),
        (library.HALVES, halves),
        (library.ACTIVATION, activations),
        (library.LAYER_NORM, norms),
        (library.ATTENTION, attentions),
        (library.CLASSES, scores),
        (library.CONVOLUTION, convolutions),
        (library.POOLING, pools),
        (library.RECURRENT, recurrences),
        (library.QUANTIZED, bytes_products),
        (library.NIBBLES, nibbles),
        (library.ADAM, updates),
        (library.GUARD, choices),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_kernels_read_and_write_what_is_theirs(of, work, kind, drivers, tmp_path):
    check_as(kind, of, work, drivers, tmp_path)


@pytest.mark.parametrize("kind", ["AVX-512 without VNNI", "SSE2"])
def test_products_of_pairs_are_the_same_without_the_instruction(kind, drivers, tmp_path):
    check_as(kind, library.HALVES, halves, drivers, tmp_path)


@pytest.mark.parametrize("kind", [*PROCESSORS, "arm with dot products"])
def test_products_of_bytes_are_the_same_by_all_instructions(kind, drivers, tmp_path):
    check_as(kind, library.QUANTIZED, bytes_products, drivers, tmp_path)


def check_as(kind, of, work, drivers, tmp_path):
    """Run what is noted of a kernel's work by a program of some kind; compare what it gives."""
    native.need(of)
    if isinstance(made := drivers(kind), str):
        pytest.skip(made)
    command = made.program(tmp_path, of.sources[0])
    calls = noted(of, work)
    given = b"".join(packed(*call) for call in calls)
    ran = subprocess.run(command, input=given, capture_output=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr.decode()[:4000]
    place = 0
    for handler, _, _, results in calls:
        for expected in results:
            found = np.frombuffer(ran.stdout, expected.dtype, expected.size, place)
            place += expected.nbytes
            if of is library.QUANTIZED:  # whole numbers, and the plain form's bits
                np.testing.assert_array_equal(found, expected.ravel(), err_msg=handler)
                continue
            found, expected = found.astype("float32"), expected.ravel().astype("float32")
            rtol = 2.0**-7 if of is library.HALVES else 1e-4  # a step of bfloat16: sums are rounded
            # The compiler puts products and sums together in one place and not in the other.
            bound = 1e-5 * max(
                1.0, math.sqrt(expected.size), float(np.abs(expected).max(initial=0))
            )
            np.testing.assert_allclose(found, expected, rtol=rtol, atol=bound, err_msg=handler)
    assert place == len(ran.stdout)
