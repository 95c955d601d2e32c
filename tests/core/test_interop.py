"""Packages outside: optional imports, and foreign objects recognised without importing."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest

from nacre.core import interop, tracing
from nacre.core.errors import MissingPackageError


def test_a_missing_package_says_how_to_get_it() -> None:
    with pytest.raises(
        MissingPackageError, match=r"plot_model: the package 'absent_pkg' must.*nacre\[plot\]"
    ):
        interop.optional_import("absent_pkg.part", extra="plot", who="plot_model")
    assert interop.optional_import("json", extra="x", who="y") is sys.modules["json"]


def test_nothing_is_imported_to_recognise_an_object() -> None:
    program = (
        "import sys, numpy as np; from nacre.core import interop\n"
        "assert interop.to_numpy_if_foreign(3) == 3 and not interop.is_torch_tensor(np.ones(1))\n"
        "assert not {'torch', 'tensorflow', 'pandas'} & set(sys.modules)"
    )
    import subprocess

    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


class Foreign:
    """Looks like a tensor of another framework."""

    def detach(self) -> Foreign:
        return self

    cpu = resolve_conj = resolve_neg = detach

    def numpy(self) -> np.ndarray:
        return np.array([1, 2])


@pytest.mark.parametrize(
    ("module", "names"),
    [("torch", ["Tensor"]), ("tensorflow", ["Tensor", "Variable"])],
)  # fmt: skip
def test_loaded_frameworks_are_recognised(
    module: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = ModuleType(module)
    for name in names:
        setattr(stand_in, name, Foreign if name == names[0] else type("Other", (), {}))
    monkeypatch.setitem(sys.modules, module, stand_in)
    assert interop.to_numpy_if_foreign(Foreign()).tolist() == [1, 2]
    assert interop.to_numpy_if_foreign("text") == "text"


def test_tracing_is_noticed() -> None:
    seen: list[tuple[bool, bool]] = []

    def function(x: Any) -> Any:
        seen.append((tracing.is_tracing(), tracing.is_tracer(x)))
        return x

    for transform in (jax.jit, jax.grad, jax.vmap):
        transform(function)(np.ones(1, "float32") if transform is jax.vmap else 1.0)
    assert seen == [(True, True)] * 3
    assert not tracing.is_tracing() and not tracing.is_tracer(np.ones(1))


def test_a_primitive_made_here_is_one_of_jaxs_public_class() -> None:
    from jax.extend.core import Primitive

    assert isinstance(tracing.new_primitive("made_here"), Primitive)
