"""A format that is not nacre's: the one of `docs/new_format.md`, as it stands there."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, UnsupportedOpError
from nacre.export import targets
from nacre.testing import check_target, target_checks
from nacre.testing.target import small_model

PAGE = Path(__file__).parents[2] / "docs" / "new_format.md"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page's program defines, its format registered."""
    monkeypatch.setattr(targets, "_REGISTERED", {})
    source = PAGE.read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    found: dict[str, Any] = {"__name__": "lines"}
    exec(compile(source, str(PAGE), "exec"), found)
    return found


def test_the_page_s_format_keeps_the_contract(lines: Any) -> None:
    checked = check_target("lines")
    assert len(checked.kept) >= 20 and len(checked.lacks) > 100, str(checked)
    assert {"op dense_rank3", "op tanh", "op exp2"} <= {*checked.kept}, checked.kept
    assert all(why.startswith("refused") for why in checked.lacks.values())


def test_a_registered_format_is_exported_to_by_name_and_by_ending(
    lines: Any, tmp_path: Path
) -> None:
    assert "lines" in nacre.export.formats()
    report = small_model().export(tmp_path / "m.lines", verbose=False)
    assert report is not None and report.is_verified and report.format == "lines"
    with pytest.raises(ArgumentError, match=r"m\.lines"):
        small_model().export(tmp_path / "m.onnx", format="lines", verbose=False)
    net = nacre.Sequential([nacre.Input((4, 4, 1)), nacre.layers.Conv2D(2, 3)])
    with pytest.raises(UnsupportedOpError, match="conv"):
        net.export(tmp_path / "net.lines", verbose=False)


@pytest.mark.parametrize(
    ("op", "form", "said"),
    [
        ("tanh", lambda node, x: f"np.sin({x})", "op tanh"),
        ("relu", lambda node, x: x, "op relu"),
        ("sub", lambda node, x, y: f"{y} - {x}", "op sub"),
        ("dense", lambda node, x, kernel, bias="0": f"({x} @ {kernel} + {bias})[:1]", "op dense"),
    ],
)
def test_a_wrong_form_breaks_the_contract(lines: Any, op: str, form: Any, said: str) -> None:
    lines["FORMS"].by_op[op] = form
    (check,) = (c for c in target_checks("lines") if c.name == said)
    with pytest.raises(AssertionError, match=r"where .* is right|shape"):
        check.run()


def test_outputs_in_another_order_break_the_contract(lines: Any) -> None:
    def exchanged(path: Path) -> Any:
        run = lines["open_lines"](path)
        return lambda arrays: run(arrays)[::-1]

    target = lines["TARGET"]
    wrong = replace(target, runtimes=(replace(target.runtimes[0], open=exchanged),))
    several = "several inputs and outputs keep their order"
    with pytest.raises(AssertionError, match=rf"Lines breaks \d+ of \d+ promises(.|\n)*{several}"):
        check_target(wrong)


def test_a_format_that_nothing_runs_cannot_be_checked(lines: Any) -> None:
    target = replace(lines["TARGET"], runtimes=())
    with pytest.raises(ArgumentError, match="must be run to be checked"):
        next(target_checks(target))


def test_a_name_or_ending_of_another_format_is_refused(lines: Any) -> None:
    with pytest.raises(ArgumentError, match="name must be free"):
        targets.register_target(replace(lines["TARGET"], name="onnx"))
    for suffix in (".tflite", ".keras"):
        with pytest.raises(ArgumentError, match="files must end as those of no other format"):
            targets.register_target(replace(lines["TARGET"], name="mine", suffix=suffix))


def test_a_format_of_an_installed_package_is_found(
    lines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "_REGISTERED", {})
    source = PAGE.read_text("utf-8").partition("```python\n")[2].partition("register_target(")[0]
    (tmp_path / "installed_lines.py").write_text(source.replace(", register_target", ""))
    about = tmp_path / "installed_lines-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: installed-lines\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[nacre.formats]\nlines = installed_lines:TARGET\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert "lines" in nacre.export.formats()
        x = np.ones((2, 4), "float32")
        model = small_model()
        path = tmp_path / "m.lines"
        model.export(path, format="lines", verbose=False)
        module = sys.modules["installed_lines"]
        np.testing.assert_allclose(module.open_lines(path)([x])[0], model(x), rtol=1e-5)
    finally:
        sys.modules.pop("installed_lines", None)


def test_what_is_no_target_is_told() -> None:
    for other in ("lines", None, targets):
        with pytest.raises(ArgumentError, match="it takes a Target"):
            targets.register_target(other)  # pyright: ignore[reportArgumentType]  # that is the test
