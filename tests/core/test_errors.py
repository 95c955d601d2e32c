"""Error classes and the message template."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from nacre.core import errors

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.NacreError)
]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_can_be_caught_as_a_builtin_and_travels(cls: type[Exception]) -> None:
    error = cls("Dense 'd': rule. Got 1.")
    assert cls is errors.NacreError or any(
        b.__module__ == "builtins" and b not in (Exception, BaseException, object)
        for b in cls.__mro__
    )
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is cls and str(twin) == str(error)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [("ShapeError", ValueError), ("DTypeError", TypeError), ("NotBuiltError", RuntimeError),
     ("NotCompiledError", RuntimeError), ("MissingPackageError", ImportError),
     ("SerializationError", TypeError), ("SerializationError", ValueError)],
)  # fmt: skip
def test_errors_are_what_users_already_catch(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), builtin)


def test_the_template_joins_its_parts_with_single_stops() -> None:
    assert errors.message("who", "rule.", "value.", "Do it.") == "who: rule. Got value. Do it."
    assert errors.message("who", "rule") == "who: rule."
    assert errors.message("who", "rule", fix="Do it.") == "who: rule. Do it."


@pytest.mark.parametrize(
    ("name", "expected"),
    [("ADAM", "adam"), ("adm", "adam"), ("rms_prop", "rmsprop"), ("zzzz", None), (3, None)],
)
def test_the_nearest_name(name: object, expected: str | None) -> None:
    assert errors.nearest(name, ["sgd", "adam", "rmsprop"]) == expected


def test_an_unknown_name_offers_the_nearest_or_the_list() -> None:
    error = errors.unknown_name("compile", "optimizer", "adm", ["sgd", "adam"])
    assert isinstance(error, errors.UnknownNameError)
    assert str(error) == (
        "compile: optimizer must be a known name. Got 'adm'. Did you mean 'adam'?"
    )
    error = errors.unknown_name("compile", "optimizer", "zzzz", ["sgd", "adam", "sgd"])
    assert str(error).endswith("Known names: adam, sgd.")
    many = errors.unknown_name("x", "y", "zzzz", [f"name{i}" for i in range(90)])
    assert str(many).endswith(", ....")
