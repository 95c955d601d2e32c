"""The published table of layers and formats: it names all of them, and says what is still so."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from nacre.export.targets import formats
from tests.cases.nets import NETS
from tests.reference.check_formats import (
    GOALS,
    LEFT_OUT,
    PAGE,
    RESULTS,
    STATES,
    WITHOUT_ROW,
    activation_names,
    columns,
    layer_names,
    page,
    share,
)

TABLE = json.loads(RESULTS.read_text("utf-8"))
KINDS = ("layers", "activations", "nets")


def cells() -> Iterator[tuple[str, str, str, str]]:
    for kind in KINDS:
        for name, line in TABLE[kind].items():
            for format, text in line.items():
                yield kind, name, format, text


def test_the_table_names_every_layer_activation_net_and_format() -> None:
    named = {*TABLE["layers"], *WITHOUT_ROW} - {"Sequential"}  # a model, used as a layer
    assert sorted(named) == layer_names(), "make formats"
    assert sorted(TABLE["activations"]) == sorted(activation_names())
    assert sorted(TABLE["nets"]) == sorted(case.id for case in NETS)
    assert {*columns(), *LEFT_OUT} >= {*formats()} - _of_other_packages()
    assert all(list(line) == columns() for kind in KINDS for line in TABLE[kind].values())


def _of_other_packages() -> set[str]:
    from nacre.export.targets import OTHERS, TARGETS

    return {*formats()} - {*OTHERS, *TARGETS}


def test_every_cell_agrees_or_is_refused_with_a_reason() -> None:
    wrong = []
    for kind, name, format, text in cells():
        state, _, said = text.partition(": ")
        assert state in STATES, f"{name} in {format}: {text}"
        assert state == "ok" or said, f"{name} in {format} says no reason"
        if state in ("wrong", "error"):
            wrong.append(f"{kind} {name} in {format}: {text}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("format", GOALS)
def test_a_format_holds_as_many_layers_as_it_is_to(format: str) -> None:
    works, count = share(TABLE["layers"], format)
    assert 100 * works / count >= GOALS[format]


def test_the_page_is_made_of_the_table() -> None:
    assert PAGE.read_text("utf-8") == page(TABLE)
