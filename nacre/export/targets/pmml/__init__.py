"""PMML, for rule engines and databases: dense nets as a NeuralNetwork of version 4.4.

support       what it holds
network       neurons in the making
forms         ops as neurons
write         the file
readback      it read, by JPMML and by a reader of nacre's own
"""

from __future__ import annotations

from typing import Any

from nacre.export.targets.pmml.readback import open_jpmml, open_own, why_no_java
from nacre.export.targets.pmml.support import SUPPORT
from nacre.export.targets.pmml.write import write
from nacre.export.targets.target import Option, Runtime, Target


def _fault(names: Any) -> str:
    fits = names is None or (isinstance(names, list | tuple) and len(names) > 0)
    return "" if fits else "class_names must be a list of names"


TARGET = Target(
    name="pmml",
    title="PMML",
    suffix=".pmml",
    support=SUPPORT,
    write=write,
    runtimes=(
        Runtime("JPMML", "jpmml_evaluator", "jpmml-evaluator", open_jpmml, why_no_java),
        Runtime("nacre's own reader of PMML", "numpy", "nacre", open_own),
    ),
    options={
        "class_names": Option(
            None, None, "What the outputs of a model that ends in softmax are called.", _fault
        )
    },
)

__all__ = ["TARGET"]
