"""Core ML: packages of programs for Apple's machines, which Linux can write and not run.

maker       the program in the making
forms/      the form of each op of the graph in MIL, one file a family
support     what there is
write       the package's files
check_script   what compares a package with its model on a machine of Apple's
readback    the written program run in NumPy
"""

from collections.abc import Mapping, Sequence

from nacre.core.names import own_names, with_underscores
from nacre.core.regions import Content
from nacre.export.passes import fuse_batch_normalization, widen_floats
from nacre.export.passes.whole_numbers import unpack_weights, widen_whole_numbers
from nacre.export.targets.coreml.check_script import check_script
from nacre.export.targets.coreml.forms import FORMS
from nacre.export.targets.coreml.readback import RUNTIME
from nacre.export.targets.coreml.support import DTYPES, of_input, of_value
from nacre.export.targets.coreml.write import write
from nacre.export.targets.support import Support
from nacre.export.targets.target import Option, Request, Target, Tolerance


def _name_outputs(own: Sequence[str], given: Sequence[str]) -> list[str]:
    """Names of variables of MIL: letters, digits and underscores, other ones than the inputs'."""
    plain = [with_underscores(name) for name in own]
    return own_names((f"_{name}" if name[:1].isdigit() else name for name in plain), given)


# Kept digits, of numbers that are sums of products in float16.
_HALF = Tolerance(2e-2, 2e-2)
# What few bits may cost: a sign that something else is wrong; the report says what they do cost.
_IN_FEW_BITS = {"int8": Tolerance(0.0, 0.1), "int4": Tolerance(0.0, 0.5)}


def _tolerance_of(request: Request) -> Tolerance | None:
    if request.options["weights"] in _IN_FEW_BITS:
        return _IN_FEW_BITS[request.options["weights"]]
    return _HALF if request.options["precision"] == "float16" else None


# Apple's processors may compute in another order than NumPy, and in more places.
_ELSEWHERE = Tolerance(1e-3, 1e-3)


def _beside(request: Request, name: str) -> Mapping[str, Content]:
    return check_script(request, name, _tolerance_of(request) or _ELSEWHERE)


TARGET = Target(
    name="coreml",
    title="Core ML",
    suffix=".mlpackage",
    support=Support(
        "Core ML",
        FORMS.by_op,
        FORMS.limits,
        DTYPES,
        of_value=of_value,
        of_input=of_input,
    ),
    write=write,
    runtimes=(RUNTIME,),
    needs=("coremltools",),
    passes=(widen_floats, unpack_weights, widen_whole_numbers, fuse_batch_normalization),
    known=frozenset({"Manifest.json", "Data"}),
    name_outputs=_name_outputs,
    tolerance_of=_tolerance_of,
    written_beside=_beside,
    options={
        "deployment": Option(
            "iOS17", ("iOS16", "iOS17", "iOS18"), "The oldest system that is to run it."
        ),
        "precision": Option(
            "float32",
            ("float32", "float16"),
            "What it computes in where it can choose.",
            costs_digits=True,
        ),
        "weights": Option(
            "float32",
            ("float32", "int8", "int4"),
            "In how many bits large weights are kept: with 'int8' one scale a filter; with 'int4', "
            "of deployment 'iOS18', one for each block of 32. In 16 bits: precision='float16'.",
            costs_digits=True,
        ),
        "largest_size": Option(1024, None, "Of sizes that vary, the largest that is allowed."),
    },
)

__all__ = ["TARGET"]
