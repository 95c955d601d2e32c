"""Counts of MLIR bytecode: real programs are walked to their end, damaged ones take no memory."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from nacre.core.mlir_bytecode import check_counts


def chosen(x: Any) -> Any:
    return lax.switch(jnp.int32(x.sum()), [lambda x: x, lambda x: x + 1, jnp.sort], x)


def repeated(x: Any) -> Any:
    return lax.scan(lambda c, a: (c + a, lax.cond(c[0] > 2, jnp.sin, jnp.cos, a)), x[0], x)


PROGRAMS: list[Callable[[Any], Any]] = [chosen, repeated, lambda x: jnp.argsort(x @ x.T)]


def exported(function: Callable[[Any], Any]) -> Any:
    return jax.export.export(jax.jit(function))(jax.ShapeDtypeStruct((3, 4), "float32"))


@pytest.mark.parametrize("function", PROGRAMS)
def test_programs_of_every_version_are_walked_to_their_end(function: Any) -> None:
    from jax._src.interpreters import mlir
    from jaxlib.mlir import ir

    check_counts(exported(function).mlir_module_serialized)
    with mlir.make_ir_context():
        module = ir.Module.parse(exported(function).mlir_module())
        for version in range(7):
            buffer = io.BytesIO()
            module.operation.write_bytecode(buffer, desired_version=version)
            check_counts(buffer.getvalue())
            with pytest.raises(ValueError, match="end too soon|declares"):
                check_counts(buffer.getvalue()[:-40])


def test_a_count_beyond_the_end_of_its_section_is_refused_before_memory_is_taken() -> None:
    data = exported(repeated).mlir_module_serialized
    told = []
    tracemalloc.start()
    try:
        for place in range(4, len(data)):
            # Of a number of nine bytes, the first is 0: what follows is a count of many digits.
            damaged = data[:place] + b"\0" + data[place + 1 :]
            try:
                check_counts(damaged)
            except ValueError as error:
                told.append(str(error))
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
    assert sum("it declares" in text for text in told) > 20
    assert sum("end too soon" in text for text in told) > 20
    with pytest.raises(ValueError, match="no MLIR bytecode"):
        check_counts(b"module {}")
