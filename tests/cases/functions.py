"""Cases of functions and small callable objects: activations, regularizers, constraints,
initializers.
"""

from .spec import ArrayInput as X
from .spec import FunctionCase as Case
from .spec import InitializerCase, Spec

WIDE = (
    X(
        values=(
            (-30.0, -6.0, -3.0, -1.5, -1.0, -0.5, -0.1, 0.0),
            (0.0, 0.1, 0.5, 1.0, 1.5, 3.0, 6.0, 30.0),
        )
    ),
)
ROWS = (X((3, 5), low=-3, high=3),)


def _activation(name, kwargs=None, suffix="", inputs=WIDE):
    case_id = f"activation_{name}{suffix}"
    return Case(
        case_id, Spec(name, namespace="activations", is_call=False), inputs, kwargs or {}, True
    )


_PLAIN = (
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu "
    "linear log_sigmoid mish relu relu6 selu sigmoid silu soft_shrink softplus softsign "
    "sparse_plus sparse_sigmoid squareplus swish tanh tanh_shrink threshold"
).split()
_NEEDS_ARGUMENTS = {"threshold": {"threshold": 0.5, "default_value": 0.1}}

ACTIVATIONS = (
    *(_activation(name, _NEEDS_ARGUMENTS.get(name)) for name in _PLAIN),
    _activation("gelu", {"approximate": True}, "_approximate"),
    _activation("elu", {"alpha": 0.3}, "_alpha"),
    _activation("celu", {"alpha": 0.5}, "_alpha"),
    _activation("leaky_relu", {"negative_slope": 0.05}, "_slope"),
    _activation("relu", {"max_value": 4.0, "negative_slope": 0.1, "threshold": 0.2}, "_arguments"),
    _activation("hard_shrink", {"threshold": 1.2}, "_threshold"),
    _activation("soft_shrink", {"threshold": 1.2}, "_threshold"),
    _activation("squareplus", {"b": 2}, "_b"),
    *(
        _activation(name, kwargs, suffix, ROWS)
        for name in ("softmax", "log_softmax", "sparsemax")
        for suffix, kwargs in (("", {}), ("_axis0", {"axis": 0}))
    ),
    _activation("glu", {}, "", (X((3, 6), low=-3, high=3),)),
    _activation("glu", {"axis": 0}, "_axis0", (X((4, 3), low=-3, high=3),)),
)

MATRIX = (X((4, 3), low=-2, high=2),)
KERNEL = (X((2, 2, 3, 4), low=-2, high=2),)


def _object(kind, case_id, name, kwargs, inputs=MATRIX):
    return Case(
        f"{kind}_{case_id}",
        Spec(name, kwargs, namespace=f"{kind}s"),
        inputs,
        {},
        kind == "regularizer",
    )


REGULARIZERS = (
    _object("regularizer", "l1", "L1", {"l1": 0.03}),
    _object("regularizer", "l2", "L2", {"l2": 0.03}),
    _object("regularizer", "l1_l2", "L1L2", {"l1": 0.02, "l2": 0.05}),
    _object("regularizer", "l2_kernel", "L2", {}, KERNEL),
    _object("regularizer", "orthogonal_rows", "OrthogonalRegularizer", {"factor": 0.1}),
    _object(
        "regularizer",
        "orthogonal_columns",
        "OrthogonalRegularizer",
        {"factor": 0.1, "mode": "columns"},
    ),
)
CONSTRAINTS = (
    _object("constraint", "max_norm", "MaxNorm", {}),
    _object("constraint", "max_norm_small", "MaxNorm", {"max_value": 0.5}),
    _object("constraint", "max_norm_axes", "MaxNorm", {"max_value": 1, "axis": [0, 1, 2]}, KERNEL),
    _object("constraint", "unit_norm", "UnitNorm", {}),
    _object("constraint", "unit_norm_axis1", "UnitNorm", {"axis": 1}),
    _object("constraint", "non_neg", "NonNeg", {}),
    _object("constraint", "min_max_norm", "MinMaxNorm", {"min_value": 0.5, "max_value": 1.0}),
    _object(
        "constraint",
        "min_max_norm_rate",
        "MinMaxNorm",
        {"min_value": 3.0, "max_value": 3.5, "rate": 0.5},
    ),
)
FUNCTION_CASES: tuple[Case, ...] = ACTIVATIONS + REGULARIZERS + CONSTRAINTS
FUNCTION_CASES_BY_ID: dict[str, Case] = {case.id: case for case in FUNCTION_CASES}
assert len(FUNCTION_CASES_BY_ID) == len(FUNCTION_CASES), "two function cases share one id"

_SHAPES = {"matrix": (60, 40), "kernel": (3, 3, 16, 24)}
_RANDOM = (
    ("glorot_uniform", "GlorotUniform", {}),
    ("glorot_normal", "GlorotNormal", {}),
    ("he_uniform", "HeUniform", {}),
    ("he_normal", "HeNormal", {}),
    ("lecun_uniform", "LecunUniform", {}),
    ("lecun_normal", "LecunNormal", {}),
    ("random_normal", "RandomNormal", {"mean": 0.2, "stddev": 0.1}),
    ("random_uniform", "RandomUniform", {"minval": -0.2, "maxval": 0.4}),
    ("truncated_normal", "TruncatedNormal", {"mean": 0.2, "stddev": 0.1}),
    ("orthogonal", "Orthogonal", {"gain": 1.5}),
    *(
        (
            f"variance_scaling_{mode}_{distribution}",
            "VarianceScaling",
            {"scale": 2.0, "mode": mode, "distribution": distribution},
        )
        for mode in ("fan_in", "fan_out", "fan_avg")
        for distribution in ("truncated_normal", "untruncated_normal", "uniform")
    ),
)
INITIALIZER_CASES: tuple[InitializerCase, ...] = (
    *(
        InitializerCase(f"{name}_{shape_name}", initializer, {**kwargs, "seed": 7}, shape)
        for name, initializer, kwargs in _RANDOM
        for shape_name, shape in _SHAPES.items()
    ),
    InitializerCase("zeros", "Zeros", {}, (3, 4), True),
    InitializerCase("ones", "Ones", {}, (3, 4), True),
    InitializerCase("constant", "Constant", {"value": 0.3}, (2, 3), True),
    InitializerCase("identity", "Identity", {}, (4, 4), True),
    InitializerCase("identity_wide", "Identity", {"gain": 2.0}, (3, 5), True),
    InitializerCase("stft_real", "STFT", {}, (16, 1, 9), True),
    InitializerCase(
        "stft_imaginary",
        "STFT",
        {"side": "imag", "window": "hamming", "scaling": None},
        (16, 1, 9),
        True,
    ),
)
INITIALIZER_CASES_BY_ID: dict[str, InitializerCase] = {case.id: case for case in INITIALIZER_CASES}
