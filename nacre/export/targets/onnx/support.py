"""What ONNX has, as data."""

from __future__ import annotations

from nacre.core.wire.onnx import NUMBERS
from nacre.export.targets.onnx.forms import FORMS
from nacre.export.targets.support import Support

OLDEST_OPSET, USUAL_OPSET, NEWEST_OPSET = 13, 18, 26

# The first version of the file format that a version of the ops may stand in. Source:
# onnx/helper.py, VERSION_TABLE, of ONNX 1.23.
_FILE_VERSIONS = {13: 7, 15: 8, 19: 9, 21: 10, 23: 11, 24: 12, 25: 13}

_TEXTS = "Export the model without its preprocessing of texts, and give it integers."
ADVICE: dict[str, str] = {
    "bitcast": "Use cast, or keep what needs the bits out of the model.",
    "cholesky": "Decompose the matrix before it is given to the model.",
    "triangular_solve": "Give the model the inverse, and multiply.",
    "fft": "Take the spectrum before it is given to the model.",
    "real": "Give the model real numbers.",
    "imag": "Give the model real numbers.",
    "complex": "Give the model real numbers.",
    "lgamma": "Take it out of the model.",
    "digamma": "Take it out of the model.",
    "erf_inv": "Take it out of the model.",
    "text_lower": _TEXTS,
    "text_replace": _TEXTS,
    "text_split": _TEXTS,
    "text_hash": _TEXTS,
}

SUPPORT = Support(
    title="ONNX",
    forms=FORMS.by_op,
    limits=FORMS.limits,
    dtypes=frozenset(NUMBERS) - {"complex64", "complex128"},
    advice=ADVICE,
)


def file_version(opset: int) -> int:
    """The version of the file format for a version of the ops."""
    return max(version for first, version in _FILE_VERSIONS.items() if first <= opset)


__all__ = ["ADVICE", "NEWEST_OPSET", "OLDEST_OPSET", "SUPPORT", "USUAL_OPSET", "file_version"]
