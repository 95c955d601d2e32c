"""Sums of products: what attention and einsum are opened into, and dense layers."""

from __future__ import annotations

from nacre.export.graph.ir import Node
from nacre.export.targets.c.forms._form import added, form, given
from nacre.export.targets.c.types import SIZE, count, number, part
from nacre.export.targets.c.unit import Body, flat


def rows_times_matrix(
    make: Body, to: str, row: str, matrix: str, sizes: tuple[str, str], dtype: str,
    width: str = "", start: str = "0",
) -> None:  # fmt: skip
    """to[j] += row[k] · matrix[k, start + j]: one row, the innermost loop over columns."""
    features, units = sizes
    with make.loop(features) as k:
        place = f"{k} * {width or units}" + (f" + {start}" if start != "0" else "")
        with make.loop(units) as j:
            product = added(dtype, f"{row}[{k}]", f"{matrix}[{place} + {j}]", "*")
            make.line(f"{to}[{j}] = {added(dtype, f'{to}[{j}]', product)};")


@form("dense")
def _dense(make: Body, node: Node) -> None:
    x, kernel, bias = node.inputs
    assert x is not None and kernel is not None
    (result,) = node.outputs
    features, units = part(kernel.shape[0]), part(kernel.shape[1])
    with make.loop(count(x.shape[:-1])) as i:
        make.line(f"const {make.type(x)} *const row = {make.of(x)} + {i} * {features};")
        make.line(f"{make.type(x)} *const to = {make.of(result)} + {i} * {units};")
        with make.loop(units) as j:
            first = f"{make.of(bias)}[{j}]" if bias is not None else number(0, x.dtype)
            make.line(f"to[{j}] = {first};")
        rows_times_matrix(make, "to", "row", make.of(kernel), (features, units), x.dtype)


@form("matmul")
def _matmul(make: Body, node: Node) -> None:
    x, y, (result,) = given(node, 0), given(node, 1), node.outputs
    type_, (rows, features), columns = make.type(x), x.shape[-2:], y.shape[-1]
    with make.loops(result.shape[:-2]) as outer:
        with make.loop(rows) as i:
            left = _broadcast(x.shape[:-2], outer)
            right = _broadcast(y.shape[:-2], outer)
            row = flat([*x.shape[:-1], features], [*left, i, "0"])
            make.line(f"const {type_} *const row = {make.of(x)} + {row};")
            whole = flat([*y.shape[:-2], features, columns], [*right, "0", "0"])
            make.line(f"const {type_} *const matrix = {make.of(y)} + {whole};")
            place = flat([*result.shape[:-1], columns], [*outer, i, "0"])
            make.line(f"{type_} *const to = {make.of(result)} + {place};")
            with make.loop(columns) as j:
                make.line(f"to[{j}] = {number(0, x.dtype)};")
            sizes = (part(features), part(columns))
            rows_times_matrix(make, "to", "row", "matrix", sizes, x.dtype)


def _broadcast(shape: object, indices: list[str]) -> list[str]:
    assert isinstance(shape, tuple)
    last = indices[len(indices) - len(shape) :]
    return ["0" if n == 1 else i for n, i in zip(shape, last)]


@form("cholesky")
def _cholesky(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    n, root = part(x.shape[-1]), "sqrtf" if x.dtype == "float32" else "sqrt"
    with make.loop(count(x.shape[:-2])) as b:
        make.line(f"const {make.type(x)} *const a = {make.of(x)} + {b} * {n} * {n};")
        make.line(f"{make.type(x)} *const l = {make.of(result)} + {b} * {n} * {n};")
        with make.block(f"for ({SIZE} i = 0; i < {n}; ++i)"):
            make.line(
                f"for ({SIZE} j = 0; j < {n}; ++j) {{\n"
                f"    {make.type(x)} left = a[i * {n} + j];\n"
                f"    if (j > i) left = 0;\n"
                f"    for ({SIZE} k = 0; k < j && j <= i; ++k)\n"
                f"        left -= l[i * {n} + k] * l[j * {n} + k];\n"
                f"    if (j < i) left /= l[j * {n} + j];\n"
                f"    l[i * {n} + j] = j == i ? {root}(left) : left;\n"
                f"}}"
            )


@form("triangular_solve")
def _triangular_solve(make: Body, node: Node) -> None:
    a, b, (result,) = given(node, 0), given(node, 1), node.outputs
    n, columns, type_ = part(a.shape[-1]), part(b.shape[-1]), make.type(a)
    attributes = node.attributes
    forward = attributes["lower"] != attributes["transpose"]
    make.copy(make.of(result), make.of(b), b.dtype, b.shape)
    one = f"k * {n} + i" if attributes["transpose"] else f"i * {n} + k"
    with make.loop(count(a.shape[:-2])) as batch:
        make.line(f"const {type_} *const a = {make.of(a)} + {batch} * {n} * {n};")
        make.line(f"{type_} *const x = {make.of(result)} + {batch} * {n} * {columns};")
        with make.block(f"for ({SIZE} step = 0; step < {n}; ++step)"):
            make.line(f"const {SIZE} i = {'step' if forward else f'{n} - 1 - step'};")
            done = f"{SIZE} k = 0; k < i; ++k" if forward else f"{SIZE} k = i + 1; k < {n}; ++k"
            with make.loop(columns) as j:
                make.line(f"{type_} left = x[i * {columns} + {j}];")
                make.line(f"for ({done}) left -= a[{one}] * x[k * {columns} + {j}];")
                divided = "left" if attributes["unit_diagonal"] else f"left / a[i * {n} + i]"
                make.line(f"x[i * {columns} + {j}] = {divided};")
