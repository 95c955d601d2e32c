"""The list of all public names of TensorFlow tells the truth of each, and has no gap."""

from __future__ import annotations

import random

import pytest

import nacre.tf as tf
from nacre.cli import main
from nacre.core.errors import NotThereError
from nacre.tf.listing import Symbol, names_of_tensorflow, symbol, symbols
from nacre.tf.namespaces import reason_for


@pytest.fixture(scope="module")
def all_symbols() -> list[Symbol]:
    return list(symbols())


def reached(name: str) -> object:
    """What a script gets that writes the name."""
    found: object = tf
    for part in name.split("."):
        found = getattr(found, part)
    return found


def test_the_list_has_the_names_of_the_real_package(all_symbols: list[Symbol]) -> None:
    names = names_of_tensorflow()
    assert {"abs", "GradientTape", "function"} <= names[""] and len(names["keras.layers"]) > 130
    assert len(all_symbols) > 4900 and len({one.name for one in all_symbols}) == len(all_symbols)


def test_names_said_to_be_here_are_here_and_others_are_not(all_symbols: list[Symbol]) -> None:
    drawn = random.Random(3).sample(
        [one for one in all_symbols if ".applications." not in one.name], 700
    )
    for one in drawn:
        if one.state == "absent":
            with pytest.raises(AttributeError):  # of files of ours, such as tf.lite, Python's own
                reached(one.name)
        else:
            reached(one.name)


def test_each_name_that_is_absent_has_a_reason(all_symbols: list[Symbol]) -> None:
    without = [
        one.name for one in all_symbols if one.state == "absent" and not reason_for(one.name)
    ]
    assert not without, without


def test_most_names_are_here(all_symbols: list[Symbol]) -> None:
    for within, least in (("keras.", 0.95), ("math.", 0.9), ("nn.", 0.75), ("strings.", 0.9)):
        found = [one.state != "absent" for one in all_symbols if one.name.startswith(within)]
        assert sum(found) >= least * len(found), within


@pytest.mark.parametrize(
    ("old", "new"), [("math.abs", "math.abs"), ("nn.relu", "nn.relu"), ("keras", "keras")]
)
def test_names_of_the_first_version_that_mean_the_same_are_here(old: str, new: str) -> None:
    assert reached(f"compat.v1.{old}") is reached(new)


def test_names_of_the_first_version_that_mean_otherwise_are_not() -> None:
    for name in ("image.resize", "gradients", "get_variable"):
        with pytest.raises(NotThereError):
            reached(f"compat.v1.{name}")


def test_ops_that_may_still_come_are_told_from_insides() -> None:
    assert "not here yet" in symbol("math", "sobol_sample").told
    assert "works inside" in symbol("", "TensorArraySpec").told
    assert "dtypes" in symbol("", "constant").told


def test_the_list_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["check", "--symbols", "tf.random"]) == 0
    told = capsys.readouterr().out
    assert "tf.random.normal: differs: numbers are not TensorFlow's" in told
    assert "tf.random.all_candidate_sampler: absent: Use tf.random.log_uniform" in told
    assert main.main(["check", "--symbols", "tf.nosuch"]) != 0
