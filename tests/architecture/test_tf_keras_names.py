"""Every name of tf.keras 2 below utils, preprocessing and backend is here, or a table says why not."""

from __future__ import annotations

import json
from pathlib import Path

from tests.architecture import keras_names as names
from tests.cases.keras_names import NOT_YET
from tests.cases.tf_keras_names import MISSING, SIGNATURES

FACTS: dict[str, str | None] = json.loads(
    (Path(__file__).parents[1] / "reference" / "tf_keras_names.json").read_text()
)


def test_every_name_is_here_or_listed_and_the_list_holds_no_others() -> None:
    missing = [name for name in FACTS if not names.is_present(name)]
    tables = (MISSING, NOT_YET)
    assert not [name for name in missing if not any(names.entry(t, name) for t in tables)]
    assert not [key for key in MISSING if not any(names.entry({key: ""}, n) for n in missing)]


def test_signatures_are_those_of_tf_keras_or_listed() -> None:
    different: dict[str, str] = {}
    for name, theirs in FACTS.items():
        if theirs is not None and names.is_present(name):
            ours = names.signature_text(names.find(name))
            problem = "no signature" if ours is None else names.difference(theirs, ours)
            if problem is not None:
                different[name] = f"tf.keras {theirs}, nacre {ours}: {problem}"
    assert not [text for name, text in different.items() if name not in SIGNATURES]
    assert not [name for name in SIGNATURES if name not in different]
