"""The format as nacre sees it."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.opset import OPSET
from nacre.export.passes import fuse_batch_normalization, widen_floats
from nacre.export.targets.litert.readback import open_file, open_function
from nacre.export.targets.litert.rules import FORMS
from nacre.export.targets.litert.support import DTYPES
from nacre.export.targets.litert.write import write, write_together
from nacre.export.targets.samples import Samples
from nacre.export.targets.support import Support
from nacre.export.targets.target import Array, Option, Request, Runtime, Target, Tolerance

_ENDS = ("float32", "int8", "uint8")
_TEXT = "Split texts off: feed the model with the numbers that they are looked up as."
_ADVICE = {op: _TEXT for op in OPSET if op.startswith("text_")} | {
    "triangular_solve": "LiteRT has no kernel of it.",
    "cholesky": "LiteRT has no kernel of it.",
    "lgamma": "LiteRT has no kernel of it.",
    "digamma": "LiteRT has no kernel of it.",
    "erf_inv": "LiteRT has no kernel of it.",
    "complex": "Work on real and imaginary part as floats.",
}
# What 8 bits may cost: a sign that something else is wrong, not a bound of what they do cost, which
# the report says.
_WEIGHTS_OF_8_BITS = Tolerance(0.0, 0.1)
_WEIGHTS_OF_4_BITS = Tolerance(0.0, 0.5)
_ALL_OF_8_BITS = Tolerance(0.0, 0.25)
_FEW = 4


def _tolerance_of(request: Request) -> Tolerance | None:
    options = request.options
    if options["representative_dataset"] is not None:
        return _ALL_OF_8_BITS
    return {"int8": _WEIGHTS_OF_8_BITS, "int4": _WEIGHTS_OF_4_BITS}.get(options["weights"])


def _samples_of(request: Request) -> Sequence[Sequence[Array]]:
    samples = request.options["representative_dataset"]
    return () if samples is None else samples.arrays(request.graph.inputs)[:_FEW]


# References of a FlatBuffer are of 32 bits, and readers take them with a sign.
_MOST_BYTES = 2**31 - 2**24
SUPPORT = Support(
    "TFLite", FORMS.by_op, FORMS.limits, DTYPES, advice=_ADVICE, most_bytes=_MOST_BYTES
)
LITERT = Runtime("LiteRT", "ai_edge_litert", "ai-edge-litert", open_file)
TARGET = Target(
    name="litert",
    title="TFLite",
    suffix=".tflite",
    support=SUPPORT,
    write=write,
    write_together=write_together,
    open_function=open_function,
    runtimes=(LITERT,),
    passes=(widen_floats, fuse_batch_normalization),
    tolerance_of=_tolerance_of,
    samples_of=_samples_of,
    options={
        "weights": Option(
            "float32",
            ("float32", "float16", "int8", "int4"),
            "In how many bits large weights are kept; with 'int8' and 'int4' one scale a filter; "
            "'int4' is for those of dense layers and convolutions, others have 8.",
            costs_digits=True,
        ),
        "representative_dataset": Option(
            None,
            None,
            "Samples of data, or a function that gives them one by one: what has kernels of 8 bits "
            "is computed in them, by the range of the numbers that the samples give.",
            read=lambda given: None if given is None else Samples(given),
            costs_digits=True,
        ),
        "require_int8": Option(
            False,
            (False, True),
            "Whether, with representative_dataset, all must be computed in 8 bits.",
            costs_digits=True,
        ),
        "input_type": Option("float32", _ENDS, "What the file is given.", costs_digits=True),
        "output_type": Option("float32", _ENDS, "What the file gives.", costs_digits=True),
    },
)

__all__ = ["TARGET"]
