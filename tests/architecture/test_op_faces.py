"""Namespaces of ops hold what ops declare: no more, no less, and nothing foreign."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import nacre
from nacre import ops
from nacre.core.not_yet import no_attribute
from nacre.ops._define import PUBLIC, Family
from tests.architecture import op_faces

FACES = op_faces.declared()
FILES = sorted({*(public.module for public in PUBLIC.values()), "nacre.ops.rnn"})


def test_the_files_are_what_the_ops_declare() -> None:
    different = op_faces.differences()
    assert not different, (
        f"{different}: run python -m tests.architecture.op_faces --write after a declaration"
    )


@pytest.mark.parametrize("name", FACES + FILES)
def test_a_namespace_shows_ops_and_nothing_else(name: str) -> None:
    module = importlib.import_module(name)
    shown = dir(module)
    assert shown == sorted(module.__all__) and shown
    for one in shown:
        value = getattr(module, one)
        if isinstance(value, ModuleType):
            assert name == "nacre.ops" and value.__name__ in FACES
        else:
            # Those for layers alone, such as `lstm`, are in no namespace.
            assert value is PUBLIC[one].function if one in PUBLIC else hasattr(value, "op")
            assert value.__module__.startswith("nacre.ops.") and value.__doc__


@pytest.mark.parametrize("name", FACES)
def test_nothing_foreign_can_be_reached_in_a_namespace(name: str) -> None:
    module = importlib.import_module(name)
    found = {
        one
        for one, value in vars(module).items()
        if not one.startswith("_") and one not in module.__all__
        if not (isinstance(value, ModuleType) and value.__name__.startswith("nacre.ops"))
    }
    assert found <= {"CONFIG_FUNCTIONS"}  # what a config may name
    for foreign in ("Any", "TYPE_CHECKING", "jax", "jnp", "np", "annotations"):
        with pytest.raises(AttributeError):
            getattr(module, foreign)


def test_every_file_that_declares_ops_shows_them_and_nothing_else() -> None:
    for info in pkgutil.iter_modules(ops.__path__):
        module = importlib.import_module(f"nacre.ops.{info.name}")
        if not info.name.startswith("_") and isinstance(vars(module).get("op"), Family):
            assert module.__name__ in FILES and vars(module)["__dir__"]() == module.__all__


def test_aliases_are_given_to_their_function_where_it_is_declared() -> None:
    for name, public in PUBLIC.items():
        assert getattr(sys.modules[public.module], name) is public.function
    assert {"silu", "swish"} <= set(PUBLIC)


def test_a_name_nobody_has_is_an_error_that_python_has_a_hint_for() -> None:
    with pytest.raises(AttributeError, match=r"'nacre.ops' has no attribute 'relo'") as caught:
        ops.relo  # noqa: B018
    assert caught.value.name == "relo" and str(caught.value) == str(
        no_attribute("nacre.ops", "relo")
    )


def test_importing_nacre_still_imports_no_op() -> None:
    code = (
        "import sys, nacre; nacre.ops; print([m for m in ('jax', 'nacre.ops') if m in sys.modules])"
    )
    code = code.replace("nacre.ops; ", "")
    root = nacre.__path__[0].rsplit("/", 1)[0]
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True
    )
    assert found.stdout.strip() == "[]"
