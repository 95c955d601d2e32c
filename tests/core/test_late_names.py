"""Names of a module that are imported when they are first asked for."""

from __future__ import annotations

import importlib
import inspect
import sys
import types

import pytest

from nacre.core.late_names import late_names


def test_a_late_name_is_imported_once_and_others_have_a_hint(monkeypatch):
    module = types.ModuleType("late_names_of_a_test")
    module.__all__ = ["root", "path"]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    loaded = []

    def load(name):
        loaded.append(name)
        return __import__(name)

    places = {"root": "math:sqrt"}
    module.__getattr__, module.__dir__ = late_names(module.__name__, places, load)
    assert [module.root(4.0), module.root(9.0)] == [2.0, 3.0] and loaded == ["math"]
    assert dir(module) == ["path", "root"]
    with pytest.raises(AttributeError, match="no attribute 'rot'. Did you mean 'root'"):
        _ = module.rot


def test_a_late_name_may_be_a_module_within():
    get, _ = late_names("nacre", {"summary": "nacre.summary"})
    assert get("summary") is sys.modules["nacre.summary"]


# Those of nacre.layers are old spellings, which work and are not offered.
MODULES = ("nacre", "backend", "callbacks", "data", "models", "utils", "wrappers")


@pytest.mark.parametrize("name", MODULES)
def test_every_late_name_is_offered_by_tab_completion(name):
    module = importlib.import_module(name if name == "nacre" else f"nacre.{name}")
    names = inspect.getclosurevars(module.__getattr__).nonlocals["places"]
    assert {late for late in names if not late.startswith("_")} <= set(dir(module))
