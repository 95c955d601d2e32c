"""What formats do not have, with the reason: cases of `graph_ops` by name, for each format."""

from __future__ import annotations

from nacre.testing.graph_ops import CASES

# PMML has neurons: sums with weights that are known, and activations.
_PMML_HAS = frozenset(
    "abs neg square exp sin cos atan tanh sigmoid relu relu6 selu softsign hard_sigmoid leaky_relu "
    "elu cumsum broadcast_to concat split mirror_pad up_sampling resize average_pool "
    "dense conv depthwise_conv conv_transpose batch_normalization".split()
)
_PMML_LACKS = {case.name: "no neurons compute it" for case in CASES if case.op not in _PMML_HAS}
_OPEN_STEPS = {
    case.name: "the number of steps is open"
    for case in CASES
    if case.op in ("conv", "depthwise_conv", "conv_transpose", "average_pool") and "1d" in case.name
}
_NO_UINT32 = dict.fromkeys(
    ("shift_right_uint32", "rem_uint32", "bitcast_uint32"), "nothing is computed with uint32"
)
_NOT_IN_ONNX = {
    "bitcast": "no op reads bits as another dtype before version 26",
    "digamma": "no op",
    "erf_inv": "no op",
    "fft": "no complex numbers but as pairs",
    "lgamma": "no op",
    "triangular_solve": "no op",
}
_NO_TFJS = {
    **dict.fromkeys(("erf_inv", "lgamma", "digamma", "triangular_solve"), "no kernel"),
    **dict.fromkeys(("and_int32", "or_int32", "xor_int32", "not_int32"), "no kernel for bits"),
    **dict.fromkeys(("shift_left", "shift_right", "shift_right_signed"), "no kernel for bits"),
    "rem_uint32": "int32 is its one integer",
    "bitcast": "no such dtypes",
    "gather_1fillint64": "int32 is its one integer",
    "fft": "complex numbers",
    **dict.fromkeys(("scatter_nd_maxclip", "scatter_nd_mindrop"), "sums only"),
    **dict.fromkeys(("segment_prod", "segment_max", "segment_min"), "sums only"),
    **dict.fromkeys(("switch_three0", "switch_three1", "switch_three3"), "two branches"),
}
# format -> (name of a case, or of an op for all its cases -> why, '' for a case that it has).
REFUSED: dict[str, dict[str, str]] = {
    "c": {"fft": "no complex numbers"},
    "pmml": {
        **_PMML_LACKS,
        **_OPEN_STEPS,
        "reshape_one": "",
        "dense_rank3": "the number of steps is open",
        "dense_rank1": "one sample without a batch",
    },
    "coreml": {
        "and_int32": "no op for bits",
        "or_int32": "no op for bits",
        "xor_int32": "no op for bits",
        "not_int32": "no op for bits",
        "shift_left": "no op for bits",
        "shift_right": "no op for bits",
        "shift_right_signed": "no op for bits",
        "bitcast": "no op for bits",
        "rem_uint32": "no such dtype",
        "cast_bfloat16": "no such dtype",
        "gather_1fillint64": "no such dtype",
        "conv_(1, 1)((1, 0), (-1, 2))(2, 1)1": "padding does not cut",
        "digamma": "no op",
        "erf_inv": "no op",
        "fft": "no complex numbers",
        "lgamma": "no op",
        "triangular_solve": "no op",
    },
    "onnx": _NOT_IN_ONNX,
    "tensorrt": {
        **_NOT_IN_ONNX,
        **dict.fromkeys(("rem_uint32", "rem_int8", "shift_right_uint32"), "no such dtype"),
    },
    "openvino": {
        **_NOT_IN_ONNX,
        "shift_left": "casts to unsigned numbers keep no bits",
        "shift_right": "casts to unsigned numbers keep no bits",
        "shift_right_uint32": "",
    },
    "litert": {
        "erf_inv": "no kernel",
        "lgamma": "no kernel",
        "digamma": "no kernel",
        "triangular_solve": "no kernel",
    },
    "tfjs": _NO_TFJS,
    "web": _NO_TFJS,
    "torchscript": _NO_UINT32,
    "torch": _NO_UINT32,
}


def refusal(target: str, case: str, op: str) -> str | None:
    """Why a format has no form of a case; None where it has one."""
    known = REFUSED.get(target, {})
    return known.get(case, known.get(op)) or None
