"""`nacre export` writes a saved model in another format, beside it, or says why not."""

from __future__ import annotations

import pytest

import nacre
from nacre.cli.main import main


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "net.keras"
    nacre.Sequential([nacre.Input((2,)), nacre.layers.Dense(1)]).save(path)
    return path


def test_what_is_written_is_named_after_the_model(saved, capsys):
    for format, name in (("npz", "net_npz"), ("litert", "net.tflite"), ("tflite", "net.tflite")):
        assert main(["export", str(saved), "--to", format, "--no-verify"]) == 0
        assert f"{name}'" in capsys.readouterr().out
        assert (saved.parent / name).exists()


def test_options_are_given_by_set_and_wrong_ones_told_with_their_value(saved, capsys):
    path = str(saved.with_name("half.tflite"))
    given = ["export", str(saved), "--to", "litert", "--no-verify", "--out", path, "--set"]
    assert main([*given, "weights=float16"]) == 0
    assert main([*given, "weight=float16"]) == 1
    assert "Got weight='float16'. Did you mean 'weights'?" in capsys.readouterr().err


def test_verify_may_be_set_as_other_options(saved, capsys):
    given = ["export", str(saved), "--to", "npz", "--set"]
    assert main([*given, "verify=False"]) == 0
    assert "not verified: verify=False" in capsys.readouterr().out
    assert main([*given, "verify=false"]) == 1
    assert "verify must be 'auto', True or False. Got 'false'" in capsys.readouterr().err


def test_explain_writes_nothing_and_lists_what_has_no_form(tmp_path, capsys):
    x = nacre.Input((4,))
    nacre.Model(x, nacre.ops.sort(x)).save(tmp_path / "net.keras")
    command = ["export", str(tmp_path / "net.keras"), "--explain", "--to"]
    assert main([*command, "npz"]) == 0
    assert "All of it has a form in npz" in capsys.readouterr().out
    assert main([*command, "pmml"]) == 1
    assert "sort in" in capsys.readouterr().out
    assert [p.name for p in tmp_path.iterdir()] == ["net.keras"]
