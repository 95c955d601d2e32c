"""Programs that tests compile are compiled quickly, not for speed: most of them run once.

Compiling is what the suite's time goes into, and two thirds of it are spent on making the machine
code fast: LLVM's passes, and the kernels of fused operations. What a program computes is decided
before, but for the last bits. A test that compares bits of different programs, or looks at the code
that comes out, has the mark `full_effort`: there programs are compiled as they are for a person.
`NACRE_TEST_EFFORT=full` runs every test so.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

import pytest

LITTLE = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_parallel_codegen_split_count": 1,  # small programs: each part has an LLVM of its own
}
if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11):  # gone in 0.12
    LITTLE["xla_cpu_use_fusion_emitters"] = False
FLAGS = " ".join(f"--{name}={str(value).lower()}" for name, value in LITTLE.items())

_now: dict[str, Any] = {}  # the options of the test that runs


def is_full() -> bool:
    """Whether every test compiles as a person's programs are compiled."""
    return os.environ.get("NACRE_TEST_EFFORT") == "full"


def spare() -> None:
    """Used: `jax._src.compiler.get_compile_options`; where it is not, all is compiled in full."""
    if is_full():
        return
    from jax._src import compiler

    inner = getattr(compiler, "get_compile_options", None)
    if inner is None or not _are_known(LITTLE):
        return

    def options(
        *args: Any, env_options_overrides: dict[str, Any] | None = None, **more: Any
    ) -> Any:
        given = {**_now, **(env_options_overrides or {})}
        return inner(*args, env_options_overrides=given or None, **more)

    compiler.get_compile_options = options
    _begin()


def _begin() -> None:
    _now.update(LITTLE)
    # For processes that are started: this one has read its flags.
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FLAGS}".strip()


def _end() -> None:
    _now.clear()
    os.environ["XLA_FLAGS"] = os.environ["XLA_FLAGS"].replace(FLAGS, "").strip()


def _are_known(options: dict[str, Any]) -> bool:
    """Whether this version of XLA, and the device, take the options."""
    import jax

    if jax.default_backend() != "cpu":
        return False
    try:
        jax.jit(lambda: 0).lower().compile(compiler_options=options)
    except Exception:  # an option that is gone: each version of JAX has an error of its own for it
        return False
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    if item.get_closest_marker("full_effort") is None or not _now:
        return (yield)
    _end()
    try:
        return (yield)
    finally:
        _begin()
