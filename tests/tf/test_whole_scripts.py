"""Scripts as people write them for TensorFlow print on nacre what TensorFlow printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import nacre
from nacre.tf.checking import check
from nacre.tf.takeover import install, uninstall
from tests.tf.comparing_scripts import differences
from tests.tf.record_scripts import HERE, REFERENCE, lines_of

PRINTED = json.loads(REFERENCE.read_text())
QUICK = (
    "ragged",
    "strings",
    "sparse",
    "mlp",
    "gan",
)
_OPTIONAL = re.compile(r"^(?:import|from) (sklearn|pandas|matplotlib|PIL)\b", re.MULTILINE)


def _marks(name: str) -> list[pytest.MarkDecorator]:
    marks = [] if name in QUICK else [pytest.mark.slow]
    return [*marks, pytest.mark.float64] if name == "precision" else marks


SCRIPTS = [
    pytest.param(path, id=path.stem, marks=_marks(path.stem)) for path in sorted(HERE.glob("*.py"))
]


@pytest.fixture
def taken_over() -> Iterator[None]:
    install(quiet=True)
    yield
    uninstall()
    nacre.utils.clear_session()
    nacre.mixed_precision.set_global_policy("float32")


@pytest.mark.usefixtures("taken_over")
@pytest.mark.filterwarnings("default")  # what a script is warned of is no fault of nacre's
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_prints_what_tensorflow_printed(script: Path) -> None:
    for package in _OPTIONAL.findall(script.read_text(encoding="utf-8")):
        pytest.importorskip(package)
    found = lines_of(script)
    told = {version: differences(found, lines) for version, lines in PRINTED[script.stem].items()}
    assert not all(told.values()), told


@pytest.mark.parametrize("script", sorted(HERE.glob("*.py")), ids=lambda path: path.stem)
def test_a_script_that_runs_is_found_ready(script: Path) -> None:
    found = check(script.read_text(encoding="utf-8"))
    assert found.broken is None and found.missing == []


@pytest.mark.parametrize(
    "name", ["math.reduce_summ", "keras.layers.Dens", "data.experimental.Nothing"]
)
def test_a_script_of_a_name_that_is_missing_is_never_ready(name: str) -> None:
    for path in sorted(HERE.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "import tensorflow as tf" in text:
            assert check(f"{text}\n\ndef later():\n    return tf.{name}\n").missing, path.stem


def test_differences_are_seen() -> None:
    assert differences(["loss 0.1234", "a"], ["loss 0.1235", "a"]) == []
    assert differences(["loss 0.1234"], ["loss 0.1244"]) == ["'loss 0.1234', not 'loss 0.1244'"]
    assert (
        differences(["rows 3"], ["rows 4"]) and differences(["x"], ["y"]) and differences([], ["x"])
    )
