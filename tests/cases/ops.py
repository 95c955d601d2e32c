"""Cases of ops: a name, its arguments, and how closely to compare with real Keras.

Arrays are described here and drawn when needed, always alike. `UNLISTED` says why an op has no row.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import ml_dtypes
import numpy as np


@dataclass(frozen=True)
class Draw:
    """An array to draw: floats or integers from `low` to `high`, booleans, or given values."""

    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    low: float = -2.0
    high: float = 2.0
    values: Any = None

    def array(self, random: np.random.Generator) -> np.ndarray:
        dtype = ml_dtypes.bfloat16 if self.dtype == "bfloat16" else self.dtype
        if self.values is not None:
            return np.asarray(self.values, dtype=dtype)
        if self.dtype == "bool":
            return random.uniform(size=self.shape) < 0.5
        if self.dtype == "complex64":
            parts = random.uniform(self.low, self.high, (2, *self.shape))
            return (parts[0] + 1j * parts[1]).astype("complex64")
        if "int" in self.dtype:
            return random.integers(int(self.low), int(self.high), self.shape).astype(dtype)
        return random.uniform(self.low, self.high, self.shape).astype(dtype)


@dataclass(frozen=True)
class OpCase:
    """One call of one op.

    Attributes:
        op: Name within `ops`, dotted for a face (`image.resize`).
        args, kwargs: Arguments; a `Draw` anywhere in them is drawn.
        label: Tells cases of one op apart.
        tolerance: Relative and absolute closeness.
        is_symbolic: Whether the op's shape can be known from shapes alone.
        has_dtype: Whether the dtype must be Keras's too.
        backend: The Keras backend that gives the numbers, where not all give the same.
        differs: Why Keras's numbers are not compared.
    """

    op: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    tolerance: tuple[float, float] = (1e-5, 1e-5)
    is_symbolic: bool = True
    has_dtype: bool = True
    backend: str = "jax"
    differs: str = ""

    @property
    def id(self) -> str:
        return f"{self.op}{'-' if self.label else ''}{self.label}"

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with arrays drawn."""
        random = np.random.default_rng(zlib.crc32(self.id.encode()))

        def fill(value: Any) -> Any:
            if isinstance(value, Draw):
                return value.array(random)
            if isinstance(value, list | tuple):
                return type(value)(fill(item) for item in value)
            return value

        return fill(self.args), {name: fill(value) for name, value in self.kwargs.items()}


def _f(*shape: int, low: float = -2.0, high: float = 2.0, dtype: str = "float32") -> Draw:
    return Draw(shape, dtype, low, high)


def _i(*shape: int, low: int = -4, high: int = 5, dtype: str = "int32") -> Draw:
    return Draw(shape, dtype, low, high)


def _b(*shape: int) -> Draw:
    return Draw(shape, "bool")


def _v(values: Any, dtype: str = "float32") -> Draw:
    return Draw(dtype=dtype, values=values)


def _row(op: str, *args: Any, label: str = "", **kwargs: Any) -> OpCase:
    return OpCase(op, args, kwargs, label)


def _loose(case: OpCase, relative: float, absolute: float) -> OpCase:
    return replace(case, tolerance=(relative, absolute))


def _tensorflow(case: OpCase) -> OpCase:
    """For ops that Keras gets wrong on JAX."""
    return replace(case, backend="tensorflow")


def _differs(case: OpCase, why: str) -> OpCase:
    return replace(case, differs=why)


def _eager(case: OpCase) -> OpCase:
    """For ops whose result's shape depends on values."""
    return replace(case, is_symbolic=False)


_NAN = float("nan")
_INF = float("inf")
M = _f(4, 3)
P = _f(4, 3, low=0.1, high=3)
SPECIAL = _v([[1.0, _NAN, -2.0], [_INF, 0.0, -_INF]])
HOLES = _v([[1.0, _NAN, 3.0, 0.5], [_NAN, 2.0, -1.0, 4.0]])

_ANY = (
    "abs absolute arctan arcsinh ceil conj conjugate cos cosh deg2rad erf erfc exp exp2 expm1 fabs "
    "floor i0 imag isfinite isinf isnan isneginf isposinf isreal negative rad2deg real sign "
    "signbit sin sinc sinh square tan tanh trunc angle logical_not nan_to_num cbrt round copy "
    "zeros_like ones_like relu relu6 leaky_relu elu selu celu gelu silu swish sigmoid log_sigmoid "
    "softplus softsign hard_sigmoid hard_silu hard_swish hard_tanh tanh_shrink soft_shrink "
    "hard_shrink squareplus sparse_plus sparse_sigmoid softmax log_softmax sparsemax "
    "ravel transpose fliplr flipud flip sort argsort all any"
).split()
_POSITIVE = "sqrt rsqrt log log10 log1p log2 reciprocal".split()
_INSIDE = "arccos arcsin arctanh erfinv".split()
_KINDS = ("int32", "uint8", "int8", "bool", "bfloat16", "float16")

UNARY = (
    *(_row(name, M) for name in _ANY),
    *(_row(name, P) for name in _POSITIVE),
    *(_row(name, _f(4, 3, low=-0.9, high=0.9)) for name in _INSIDE),
    _row("arccosh", _f(4, 3, low=1.1, high=3)),
    *(
        _row(name, SPECIAL, label="special")
        for name in "isfinite isinf isnan isneginf isposinf sign nan_to_num relu floor".split()
    ),
    _row("nan_to_num", SPECIAL, nan=7.0, posinf=8.0, neginf=-9.0, label="numbers"),
    _row("round", _f(4, 3), decimals=1, label="decimals"),
    _row("celu", M, alpha=0.4, label="alpha"),
    _row("elu", M, alpha=0.4, label="alpha"),
    _row("gelu", M, approximate=False, label="exact"),
    _row("leaky_relu", M, negative_slope=0.01, label="slope"),
    _row("squareplus", M, b=2, label="b"),
    _row("softmax", M, axis=0, label="axis0"),
    _row("softmax", _f(2, 3, 4), axis=(1, 2), label="axes"),
    _row("log_softmax", M, axis=0, label="axis0"),
    _row("sparsemax", M, axis=0, label="axis0"),
    _row("glu", _f(4, 6)),
    _row("glu", _f(4, 3), axis=0, label="axis0"),
    _row("threshold", M, 0.5, -1.0),
    *(
        _row(name, _f(3, 2, dtype="complex64"), label="complex")
        for name in "real imag angle conj conjugate absolute isreal view_as_real".split()
    ),
    _row("view_as_complex", _f(3, 2)),
    _row("polar", P, M),
)

# What each dtype becomes: the rule is Keras's, for a sample of every family.
_KIND_OPS = (
    "abs negative square exp sin sqrt floor ceil sign relu sigmoid softmax silu sum mean max prod "
    "std var median cumsum cumprod all argmax round trunc logsumexp isnan clip l2 tanh erf"
).split()
KINDS = tuple(
    OpCase(
        name,
        (Draw((3, 4), kind, 1, 5), *((1, 3) if name == "clip" else ())),
        {},
        kind,
        (2e-2, 2e-2) if "float" in kind else (1e-5, 1e-5),
    )
    for name in _KIND_OPS
    if name != "l2"
    for kind in _KINDS
    if not (kind == "bool" and name in ("negative", "sign", "trunc", "round"))
)

_PAIR = (
    "add subtract multiply divide true_divide maximum minimum fmax fmin arctan2 hypot logaddexp "
    "logaddexp2 equal not_equal greater greater_equal less less_equal isclose divide_no_nan "
    "heaviside nextafter"
).split()
BINARY = (
    *(_row(name, M, _f(3)) for name in _PAIR),
    *(_row(name, _i(4, 3), _f(3), label="int_float") for name in _PAIR if name != "nextafter"),
    *(_row(name, _i(4, 3), _i(3), label="int") for name in _PAIR[:17]),
    *(_row(name, _b(4, 3), _b(3), label="bool") for name in ("add", "multiply", "maximum")),
    *(
        _row(name, _i(4, 3), 2.5, label="int_number")
        for name in "add subtract multiply divide maximum greater power mod".split()
    ),
    *(
        _row(name, _f(4, 3, dtype="bfloat16"), 2, label="half_number")
        for name in "add multiply divide maximum".split()
    ),
    *(
        _row(name, _i(4, 3, dtype="int8"), _i(3, dtype="uint8", low=0), label="int8_uint8")
        for name in "add multiply".split()
    ),
    _row("add", _f(3, dtype="bfloat16"), _f(3, dtype="float16"), label="halves"),
    _row("power", P, M),
    _row("power", _i(4, 3, low=1), _i(3, low=0), label="int"),
    *(_row(name, M, _f(3, low=0.5)) for name in ("floor_divide", "mod", "fmod")),
    *(_row(name, _i(4, 3), _i(3, low=1), label="int") for name in ("floor_divide", "mod", "fmod")),
    *(_row(name, _i(4, 3, low=1, high=30), _i(3, low=1, high=30)) for name in ("gcd", "lcm")),
    _row("ldexp", M, _i(3)),
    _row("divide_no_nan", M, _v([0.0, 1.0, -2.0]), label="zero"),
    *(_row(f"{name}", _b(4, 3), _b(3)) for name in ("logical_and", "logical_or", "logical_xor")),
    *(
        _row(f"{name}", _i(4, 3, low=0), _i(3, low=0, high=4))
        for name in (
            "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift left_shift "
            "right_shift"
        ).split()
    ),
    *(_row(name, _i(4, 3)) for name in ("bitwise_invert", "bitwise_not")),
    _row("allclose", M, M),
    _row("isin", _i(4, 3), _i(3)),
    _row("clip", M, -0.5, 1),
    _row("clip", M, _f(3, low=-1, high=0), _f(3, low=0, high=1), label="arrays"),
)

_REDUCTIONS = "sum prod mean var std max min amax amin ptp argmax argmin median logsumexp".split()
REDUCTIONS = (
    *(_row(name, _f(2, 3, 4)) for name in _REDUCTIONS),
    *(_row(name, _f(2, 3, 4), axis=1, keepdims=True, label="axis") for name in _REDUCTIONS),
    *(
        _row(name, _f(2, 3, 4), axis=(0, -1), label="axes")
        for name in "sum prod mean var std max min logsumexp".split()
    ),
    *(
        _row(name, HOLES, axis=1, label="nan")
        for name in (
            "nansum nanprod nanmean nanvar nanstd nanmax nanmin nanargmax nanargmin nanmedian "
            "nancumsum nancumprod"
        ).split()
    ),
    _row("nanquantile", HOLES, 0.3, axis=1),
    _row("nanpercentile", HOLES, 30.0, axis=1),
    _row("quantile", M, _v([0.2, 0.7]), axis=0),
    _row("quantile", M, 0.5, method="nearest", keepdims=True, label="nearest"),
    _row("percentile", M, 40.0, axis=1),
    _row("max", M, initial=1.0, label="initial"),
    _row("min", M, axis=0, initial=-1.0, label="initial"),
    _loose(_row("prod", M, dtype="float16", label="dtype"), 1e-3, 1e-3),  # one bit
    _row("count_nonzero", _i(4, 3, low=0, high=2), axis=0),
    _row("average", M, axis=1, weights=_f(3, low=0.1)),
    _row("average", _i(4, 3), axis=0, label="int"),
    *(_row(name, M, axis=0) for name in ("cumsum", "cumprod")),
    _row("cumsum", M, label="flat"),
    _row("moments", _f(4, 3, 2), axes=(0, 1)),
    _row("moments", _f(4, 3, dtype="bfloat16"), axes=(0,), keepdims=True, label="half"),
    _row("trapezoid", M),
    _row("trapezoid", M, x=_v([0.0, 1.0, 3.0]), label="x"),
    _row("corrcoef", M),
    _row("digitize", M, _v([-1.0, 0.0, 1.0])),
    _row("searchsorted", _v([-1.0, 0.0, 1.0]), _f(5)),
    _row("searchsorted", _v([0, 1, 1, 3], "int32"), _v([1, 3], "int32"), side="right", label="int"),
    _eager(_row("bincount", _i(6, low=0))),
    _eager(_row("bincount", _i(6, low=0), weights=_f(6), minlength=9, label="weights")),
    _eager(_row("bincount", _i(2, 6, low=0), minlength=3, label="rows")),
    _row("histogram", _f(20), bins=5),
    _row("histogram", _f(20), bins=5, range=(-1.0, 1.0), label="range"),
    _row("in_top_k", _i(4, low=0, high=5), _f(4, 5), k=2),
)

SHAPING = (
    _row("reshape", M, (2, -1)),
    _row("transpose", _f(2, 3, 4), axes=(1, 2, 0), label="axes"),
    _row("expand_dims", M, 1),
    _row("expand_dims", M, (0, -1), label="two"),
    _row("squeeze", _f(4, 1, 3, 1)),
    _row("squeeze", _f(4, 1, 3, 1), axis=1, label="axis"),
    _row("moveaxis", _f(2, 3, 4), 0, -1),
    _row("swapaxes", _f(2, 3, 4), 0, 2),
    _row("broadcast_to", _f(3), (4, 3)),
    _row("concatenate", [M, _i(2, 3)], axis=0),
    _row("stack", [M, M], axis=1),
    *(_row(name, [M, _f(4, 3)]) for name in ("hstack", "vstack", "dstack")),
    _row("append", M, _i(2, 3), axis=0),
    _row("append", M, _f(2), label="flat"),
    _row("unstack", _f(4, 3), axis=1),
    _row("split", _f(4, 6), 3, axis=1),
    _row("split", _f(4, 6), [2, 3], axis=1, label="places"),
    _row("array_split", _f(4, 7), 3, axis=1),
    _row("hsplit", _f(4, 6), 2),
    _row("vsplit", _f(4, 6), 2),
    _row("dsplit", _f(2, 3, 4), 2),
    _row("repeat", M, 2, axis=1),
    _row("repeat", M, 2, label="flat"),
    _row("repeat", M, [1, 0, 2], axis=1, label="counts"),
    _row("tile", M, (2, 3)),
    _row("flip", M, axis=1, label="axis"),
    _row("rot90", M),
    _row("rot90", M, k=3, label="k"),
    _row("roll", M, 2),
    _row("roll", M, 1, axis=0, label="axis"),
    _row("pad", M, ((1, 0), (0, 2))),
    _row("pad", M, 1, constant_values=3.0, label="constant"),
    _row("pad", M, ((1, 1), (1, 1)), mode="reflect", label="reflect"),
    _row("argpartition", _f(1, 2), 0),
    _row("diff", _f(4, 5), n=2),
    _row("diag", M),
    _row("diag", _f(3), k=1, label="vector"),
    _row("diagflat", _f(3), k=-1),
    _row("diagonal", _f(3, 3, 2), offset=1),
    _row("tril", M, k=-1),
    _row("triu", M),
    _row("unravel_index", _i(5, low=0, high=12), (4, 3)),
    _eager(_row("unique", _i(6, low=0, high=4))),
    _eager(
        _row("unique", _i(6, low=0, high=4), return_inverse=True, return_counts=True, label="all")
    ),
    _row("unique", _i(6, low=0, high=3), size=5, fill_value=9, label="size"),
    _row("view", _f(4, 2), dtype="int32"),
    _row("rearrange", _f(2, 4, 6, 3), "b (h h1) (w w1) c -> b h w (c h1 w1)", h1=2, w1=2),
    _row("rearrange", _f(2, 4, 3), "b ... c -> c (b ...)", label="dots"),
)

CREATION = tuple(
    OpCase(name, args, kwargs, label, is_symbolic=False)
    for name, args, kwargs, label in (
        ("zeros", ((2, 3),), {}, ""),
        ("ones", ((2, 3),), {"dtype": "int32"}, ""),
        ("full", ((2, 3), 2), {}, ""),
        ("full", ((2, 3), 2.5), {"dtype": "int32"}, "dtype"),
        ("arange", (5,), {}, ""),
        ("arange", (1, 9, 2), {}, "step"),
        ("arange", (0.5, 3.0), {}, "float"),
        ("arange", (3,), {"dtype": "float16"}, "dtype"),
        ("linspace", (0, 5, 4), {}, ""),
        ("linspace", (0.0, 5.0, 4), {"endpoint": False, "dtype": "float32"}, "open"),
        ("linspace", (0.0, 5.0, 4), {"retstep": True}, "step"),
        ("logspace", (0.0, 2.0, 4), {}, ""),
        ("geomspace", (1.0, 8.0, 4), {}, ""),
        ("eye", (3, 4), {"k": 1}, ""),
        ("identity", (3,), {}, ""),
        ("tri", (3, 4), {"k": 1}, ""),
        ("meshgrid", (_f(2), _f(3)), {"indexing": "ij"}, ""),
        ("array", ([[1, 2], [3, 4]],), {}, ""),
        ("array", ([1.5, 2],), {"dtype": "int32"}, "dtype"),
        ("array", (2.5,), {}, "number"),
        ("bartlett", (5,), {}, ""),
        ("blackman", (5,), {}, ""),
        ("hamming", (5,), {}, ""),
        ("hanning", (5,), {}, ""),
        ("kaiser", (5, 8.0), {}, ""),
    )
) + (
    _row("full_like", M, 3),
    _row("vander", _f(3), N=4),
    _row("zeros_like", M, dtype="int32", label="dtype"),
)

INDEXING = (
    _row("get_item", _f(4, 3), (slice(None, None, 2), 1)),
    _row("take", M, _i(2, 2, low=0, high=4), axis=0),
    _row("take", M, _v([-1, 0], "int32"), axis=1, label="negative"),
    _row("take", M, _i(5, low=0, high=12), label="flat"),
    _row("take_along_axis", M, _i(4, 2, low=0, high=3), axis=1),
    _row("where", _b(4, 3), M, _f(3)),
    _row("where", _b(4, 3), M, 0, label="number"),
    _row("where", _b(4, 3), _i(4, 3), _f(3), label="int_float"),
    _eager(_row("where", _b(4, 3), label="places")),
    _eager(_row("nonzero", _i(4, 3, low=0, high=2))),
    _row("select", [_b(4, 3), _b(4, 3)], [M, _f(4, 3)], -1),
    _row("top_k", _f(4, 6), 3),
    _row("scatter", _i(5, 2, low=0, high=3), _f(5), (3, 3)),
    _row("scatter_update", _f(3, 3), _v([[0, 1], [2, 2]], "int32"), _f(2)),
    *(
        _row("scatter_update", _f(3, 3), _v([[0], [0]], "int32"), _f(2, 3), reduction=r, label=r)
        for r in ("add", "max", "min", "mul")
    ),
    _row("slice", _f(4, 3), (1, 0), (2, 3)),
    _row("slice_update", _f(4, 3), (1, 1), _f(2, 2)),
    _row("one_hot", _v([[0, 2], [-1, 5]], "int32"), 4),
    _row("one_hot", _i(3, low=0, high=4), 4, axis=0, dtype="int32", label="axis0"),
    _row("multi_hot", _v([[0, 2, 2], [1, 0, 3]], "int32"), num_classes=4),
    _row("multi_hot", _v([0, 2], "int32"), num_classes=4, label="vector"),
    *(
        _row(f"segment_{r}", _f(6, 2), _v([0, 2, 2, 0, 3, 0], "int32"), num_segments=5)
        for r in ("sum", "max", "min", "prod")
    ),
    _eager(
        _row("segment_sum", _i(6), _v([0, 0, 1, 1, 1, 2], "int32"), sorted=True, label="sorted")
    ),
)

SQUARE = _v([[4.0, 1.0, 0.5], [1.0, 3.0, -0.2], [0.5, -0.2, 5.0]])
LINALG = (
    _row("matmul", _f(2, 4, 3), _f(3, 5)),
    _row("matmul", _i(4, 3, dtype="int8"), _i(3, 2, dtype="int8"), label="int8"),
    _row("matmul", _i(4, 3), _f(3, 2), label="int_float"),
    _row("dot", _f(4, 3), _f(3, 5)),
    _row("dot", _f(4, 3), _f(3), label="vector"),
    _row("tensordot", _f(2, 3, 4), _f(3, 4, 5)),
    _row("tensordot", _f(2, 3, 4), _f(4, 5), axes=1, label="axes"),
    _row("inner", _f(4, 3), _f(2, 3)),
    _row("outer", _f(4), _f(3)),
    _row("vdot", _f(4), _f(4)),
    _row("kron", _f(2, 3), _f(2, 2)),
    _row("cross", _f(4, 3), _f(4, 3)),
    _row("trace", _f(4, 3)),
    _row("correlate", _f(6), _f(3)),
    _row("correlate", _f(6), _f(3), mode="same", label="same"),
    _row("einsum", "bij,jk->bik", _f(2, 3, 4), _f(4, 5)),
    _row("cdist", _f(4, 3), _f(5, 3)),
    *(
        _loose(_row(name, SQUARE), 1e-4, 1e-4)
        for name in "cholesky det inv slogdet logdet pinv matrix_rank lu_factor".split()
    ),
    _loose(_row("cholesky", SQUARE, upper=True, label="upper"), 1e-4, 1e-4),
    _loose(_row("cholesky_inverse", _v([[2.0, 0.0], [1.0, 3.0]])), 1e-4, 1e-4),
    _loose(
        _row("cholesky_inverse", _v([[2.0, 1.0], [0.0, 3.0]]), upper=True, label="u"), 1e-4, 1e-4
    ),
    _loose(_row("eigh", SQUARE), 1e-4, 1e-4),
    _loose(_row("eig", SQUARE), 1e-4, 1e-4),
    _loose(_row("qr", _f(4, 3)), 1e-4, 1e-4),
    _loose(_row("qr", _f(4, 3), mode="complete", label="complete"), 1e-4, 1e-4),
    _loose(_row("svd", _f(4, 3)), 1e-4, 1e-4),
    _loose(_row("svd", _f(4, 3), compute_uv=False, label="values"), 1e-4, 1e-4),
    _loose(_row("solve", SQUARE, _f(3, 2)), 1e-4, 1e-4),
    _loose(_row("solve", SQUARE, _f(3), label="vector"), 1e-4, 1e-4),
    _loose(_row("solve_triangular", SQUARE, _f(3, 2), lower=True), 1e-4, 1e-4),
    _loose(_row("lstsq", _f(5, 3), _f(5)), 1e-4, 1e-4),
    _row("norm", _f(4, 3)),
    _row("norm", _f(4, 3), ord=1, axis=1, keepdims=True, label="one"),
    _row("norm", _f(4, 3), ord="fro", axis=(0, 1), label="fro"),
    _loose(_row("norm", _f(4, 3), ord="nuc", axis=(0, 1), label="nuc"), 1e-4, 1e-4),
    _row("norm", _f(4, 3), ord=_INF, axis=0, label="inf"),
    _row("normalize", _f(4, 3)),
    _row("normalize", _f(4, 3), axis=0, order=3, label="order"),
    _row("normalize", _v([[0.0, 0.0], [3.0, 4.0]]), label="zero"),
)

SIGNAL = (
    _row("fft", (_f(3, 8), _f(3, 8))),
    _row("fft2", (_f(3, 8), _f(3, 8))),
    _row("ifft2", (_f(3, 8), _f(3, 8))),
    _row("rfft", _f(3, 8)),
    _row("rfft", _f(3, 8), fft_length=5, label="length"),
    _row("irfft", (_f(3, 5), _f(3, 5))),
    _row("irfft", (_f(3, 5), _f(3, 5)), fft_length=7, label="length"),
    _row("extract_sequences", _f(2, 10), 4, 3),
    _row("stft", _f(2, 20), 6, 3, 8),
    _row("stft", _f(2, 20), 6, 3, 9, window="hamming", center=False, label="hamming"),
    _row("stft", _f(2, 20), 5, 2, 5, window=None, label="plain"),
    _loose(_row("istft", (_f(2, 7, 5), _f(2, 7, 5)), 6, 3, 8), 1e-4, 1e-4),
    _loose(
        _row("istft", (_f(2, 7, 5), _f(2, 7, 5)), 6, 3, 8, length=15, label="length"), 1e-4, 1e-4
    ),
    _loose(
        _row("istft", (_f(2, 7, 5), _f(2, 7, 5)), 8, 4, 8, window=None, center=False, label="plain"),
        1e-4, 1e-4,
    ),
)  # fmt: skip

_IMAGE = _f(2, 7, 9, 4)
CONVOLUTIONS = tuple(
    _loose(case, 1e-4, 1e-4)
    for case in (
        *(
            _row(
                "conv", _f(2, *([9] * n), 4), _f(*([3] * n), 4, 5), strides=s, padding=p,
                dilation_rate=d, label=f"{n}d_{p}_{s}_{d}",
            )
            for n in (1, 2, 3)
            for p in ("valid", "same")
            for s, d in ((1, 1), (2, 1), (1, 2))
        ),
        _row("conv", _f(2, 4, 7, 9), _f(3, 2, 4, 5), data_format="channels_first", label="first"),
        _row("conv", _IMAGE, _f(3, 3, 2, 6), padding="same", label="groups"),
        *(
            _row(
                "conv_transpose", _f(2, *([5] * n), 4), _f(*([k] * n), 3, 4), strides=s, padding=p,
                output_padding=o, label=f"{n}d_{p}_{k}_{s}_{o}",
            )
            for n in (1, 2)
            for p in ("valid", "same")
            for k, s, o in ((3, 1, None), (3, 2, None), (2, 3, None), (4, 2, None), (3, 2, 1), (3, 2, 0))
        ),
        _row("conv_transpose", _f(2, 5, 4), _f(3, 3, 4), dilation_rate=2, label="dilated"),
        _row(
            "conv_transpose", _f(2, 4, 5, 5), _f(3, 3, 3, 4), strides=2, data_format="channels_first",
            label="first",
        ),
        _row("depthwise_conv", _IMAGE, _f(3, 3, 4, 2), strides=2, padding="same"),
        _row("depthwise_conv", _f(2, 9, 4), _f(3, 4, 1), dilation_rate=2, label="1d"),
        _row("separable_conv", _IMAGE, _f(3, 3, 4, 2), _f(1, 1, 8, 5), padding="same"),
    )
)  # fmt: skip

POOLING = (
    *(
        _row(
            f"{kind}_pool",
            _f(2, *([7] * n), 4),
            (w,) * n,
            strides=s,
            padding=p,
            label=f"{n}d_{p}_{w}_{s}",
        )
        for kind in ("max", "average")
        for n in (1, 2, 3)
        for p in ("valid", "same")
        for w, s in ((2, 2), (3, 2))
    ),
    _row("max_pool", _f(2, 4, 7, 9), 2, strides=2, data_format="channels_first", label="first"),
    *(
        _row(f"adaptive_{kind}_pool", _f(2, 7, 9, 4), size, label=label)
        for kind in ("max", "average")
        for size, label in (((3, 3), ""), (2, "number"))
    ),
    _row("space_to_depth", _f(2, 4, 6, 3), 2),
    _row("depth_to_space", _f(2, 2, 3, 12), 2),
    _row("space_to_depth", _f(2, 3, 4, 6), 2, data_format="channels_first", label="first"),
    _row("depth_to_space", _f(2, 12, 2, 3), 2, data_format="channels_first", label="first"),
    _row("unfold", _f(2, 3, 7, 6), (3, 2), dilation=2, padding=1, stride=2),
    _row("fold", _f(2, 12, 20), (6, 5), (2, 2)),
    _row("fold", _f(2, 12, 12), (6, 5), (2, 2), padding=1, stride=2, label="stride"),
)

_LOG_PROBABILITIES = _f(3, 6, 5, low=-3, high=3)
LOSSES = (
    _row("binary_crossentropy", _f(4, 3, low=0, high=1), _f(4, 3, low=0, high=1)),
    _row("binary_crossentropy", _b(4, 3), _v([[0.0, 1.0, 0.5]] * 4), label="edges"),
    _row("binary_crossentropy", _f(4, 3, low=0, high=1), _f(4, 3), from_logits=True, label="logits"),
    _row("categorical_crossentropy", _f(4, 3, low=0, high=1), _f(4, 3, low=0, high=1)),
    _row("categorical_crossentropy", _f(4, 3, low=0), _f(4, 3), from_logits=True, label="logits"),
    _row("categorical_crossentropy", _f(4, 3, 2, low=0), _f(4, 3, 2, low=0.1), axis=1, label="axis"),
    _row("sparse_categorical_crossentropy", _i(4, low=0, high=3), _f(4, 3, low=0.1)),
    _row(
        "sparse_categorical_crossentropy", _i(4, 1, low=0, high=3), _f(4, 3), from_logits=True,
        label="logits",
    ),
    _differs(
        _row(
            "sparse_categorical_crossentropy", _v([0, 7, -1], "int32"), _f(3, 3), from_logits=True,
            label="outside",
        ),
        "a label that is no class gives NaN here; Keras on JAX counts it as no loss at all",
    ),
    _loose(
        _row("ctc_loss", _v([[1, 2, 2, 0], [3, 1, 4, 1], [2, 0, 0, 0]], "int32"), _LOG_PROBABILITIES,
             _v([3, 4, 1], "int32"), _v([6, 6, 4], "int32")), 1e-4, 1e-4,
    ),
    _loose(
        _row("ctc_loss", _v([[1, 2], [0, 1]], "int32"), _f(2, 6, 5), _v([2, 2], "int32"),
             _v([6, 5], "int32"), mask_index=4, label="last"), 1e-4, 1e-4,
    ),
    _row("ctc_decode", _f(3, 8, 5, low=-3, high=3), _v([8, 5, 7], "int32")),
    _row("ctc_decode", _f(3, 8, 5, low=-3, high=3), _v([8, 5, 7], "int32"), merge_repeated=False,
         mask_index=2, label="unmerged"),
    _loose(
        _row("ctc_decode", _f(3, 8, 5, low=-3, high=3), _v([8, 5, 7], "int32"),
             strategy="beam_search", beam_width=20, top_paths=3, label="beam"), 1e-4, 1e-4,
    ),
    _row("psnr", _f(2, 4, 4, 3, low=0, high=1), _f(2, 4, 4, 3, low=0, high=1), 1.0),
)  # fmt: skip

_HEADS = _f(2, 5, 3, 4)
NORMALIZATION = tuple(
    _loose(case, 1e-4, 1e-4)
    for case in (
        _row("batch_normalization", _f(4, 3), _f(3), _f(3, low=0.5), -1),
        _row("batch_normalization", _f(4, 3, 2), _f(3), _f(3, low=0.5), 1, offset=_f(3), scale=_f(3),
             epsilon=0.01, label="axis1"),
        _row("layer_normalization", _f(4, 6), _f(6), _f(6)),
        _row("layer_normalization", _f(4, 3, 6), axis=(1, 2), epsilon=0.01, label="axes"),
        _row("rms_normalization", _f(4, 6)),
        _row("rms_normalization", _f(4, 6), scale=_f(6), epsilon=0.01, label="scale"),
        _row("dot_product_attention", _HEADS, _f(2, 7, 3, 4), _f(2, 7, 3, 4)),
        _row("dot_product_attention", _HEADS, _f(2, 5, 3, 4), _f(2, 5, 3, 4), is_causal=True,
             scale=0.3, label="causal"),
        _row("dot_product_attention", _HEADS, _f(2, 7, 3, 4), _f(2, 7, 3, 4), bias=_f(2, 3, 5, 7),
             mask=_v(np.arange(70).reshape(2, 1, 5, 7) % 3 != 0, "bool"), label="mask"),
    )
)  # fmt: skip

_PICTURE = _f(2, 8, 10, 3, low=0, high=1)
IMAGES = (
    *(
        _loose(_row("image.resize", _PICTURE, size, interpolation=i, antialias=a,
                    label=f"{i}_{size[0]}_{a}"), 1e-4, 1e-4)
        for i in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        for size in ((5, 6), (16, 15))
        for a in (False, True)
    ),
    _row("image.resize", _f(8, 10, 3), (4, 4), crop_to_aspect_ratio=True, label="crop"),
    _row("image.resize", _PICTURE, (6, 6), pad_to_aspect_ratio=True, fill_value=0.5, label="pad"),
    _row("image.resize", _PICTURE, (5, 12), pad_to_aspect_ratio=True, label="pad_wide"),
    _row("image.resize", _PICTURE, (5, 12), crop_to_aspect_ratio=True, label="crop_wide"),
    _row("image.resize", _i(2, 8, 10, 3, low=0, high=256, dtype="uint8"), (5, 13), label="bytes"),
    _row("image.resize", _f(2, 3, 8, 10), (5, 6), data_format="channels_first", label="first"),
    *(
        _loose(
            _row("image.affine_transform", _PICTURE,
                 _v([[0.9, 0.2, -1.0, -0.1, 1.1, 2.0, 0, 0], [1.2, -0.3, 3.0, 0.3, 0.8, -2.0, 0, 0]]),
                 interpolation=i, fill_mode=m, fill_value=0.25, label=f"{i}_{m}"), 1e-4, 1e-4)
        for i in ("nearest", "bilinear")
        for m in ("constant", "nearest", "wrap", "reflect", "mirror")
    ),
    _loose(
        _row("image.perspective_transform", _PICTURE,
             _v([[[0.0, 0], [0, 8], [10, 0], [10, 8]]] * 2),
             _v([[[1.0, 0.5], [0, 7], [9, 1], [11, 8]], [[0.0, -1], [1, 8], [8, 0], [10, 9]]]),
             fill_value=0.5), 1e-3, 1e-3),
    _loose(
        _row("image.perspective_transform", _f(8, 10, 3), _v([[0.0, 0], [0, 8], [10, 0], [10, 8]]),
             _v([[1.0, 0.5], [0, 7], [9, 1], [11, 8]]), interpolation="nearest", label="single"),
        1e-3, 1e-3),
    *(
        _row("image.map_coordinates", _f(5, 6), _f(2, 7, low=-3, high=9), order=o, fill_mode=m,
             fill_value=0.3, label=f"{o}_{m}")
        for o in (0, 1)
        for m in ("constant", "nearest", "wrap", "mirror", "reflect")
    ),
    _row("image.map_coordinates", _i(5, 6), _f(2, 7, low=-1, high=6), order=1, label="int"),
    _row("image.rgb_to_grayscale", _PICTURE),
    _row("image.rgb_to_grayscale", _i(8, 10, 3, low=0, high=256, dtype="uint8"), label="bytes"),
    _row("image.rgb_to_hsv", _PICTURE),
    _row("image.hsv_to_rgb", _PICTURE),
    _row("image.hsv_to_rgb", _f(2, 3, 4, 5, low=0, high=1), data_format="channels_first",
         label="first"),
    _tensorflow(_row("image.gaussian_blur", _PICTURE)),
    _tensorflow(
        _row("image.gaussian_blur", _PICTURE, kernel_size=(5, 3), sigma=(2.0, 0.7), label="size")
    ),
    _tensorflow(_row("image.gaussian_blur", _PICTURE, kernel_size=(4, 4), label="even")),
    _tensorflow(_row("image.sobel_edges", _PICTURE)),
    _tensorflow(
        _row("image.sobel_edges", _f(2, 3, 8, 10), data_format="channels_first", label="first")
    ),
    _row("image.ssim", _f(2, 14, 15, 3, low=0, high=1), _f(2, 14, 15, 3, low=0, high=1)),
    _row("image.ssim", _f(14, 15, 3, low=0, high=1), _f(14, 15, 3, low=0, high=1), filter_size=5,
         label="single"),
    _row("image.pad_images", _PICTURE, 2, 3, target_height=12, target_width=14),
    _row("image.crop_images", _PICTURE, 2, 3, target_height=4, target_width=5),
    _row("image.crop_images", _PICTURE, 1, None, 2, 3, target_width=5, label="right"),
    _row("image.extract_patches", _PICTURE, (3, 2)),
    _row("image.extract_patches", _PICTURE, 3, strides=2, padding="same", label="same"),
    _row("image.extract_patches", _PICTURE, 3, strides=1, dilation_rate=2, label="dilated"),
    _row("image.extract_patches", _f(2, 3, 8, 10), 3, data_format="channels_first", label="first"),
    _row("image.extract_patches_3d", _f(2, 4, 5, 6, 2), 2),
    _loose(
        _row("image.scale_and_translate", _f(8, 10, 3), (5, 6, 3), _v([0.7, 0.6]), _v([0.5, -1.0]),
             (0, 1), "linear"), 1e-4, 1e-4),
    _loose(
        _row("image.scale_and_translate", _f(8, 10, 3), (5, 6, 3), _v([0.7, 0.6]), _v([0.5, -1.0]),
             (0, 1), "bicubic", antialias=False, label="cubic"), 1e-4, 1e-4),
)  # fmt: skip

OTHERS = (
    _row("cast", M, "int32"),
    _row("saturate_cast", _f(4, 3, low=-500, high=500), "uint8"),
    _row("saturate_cast", _i(4, 3, low=-500, high=500), "int8", label="int"),
    _row("saturate_cast", _v([1e12, -1e12, 3.5]), "int32", label="large"),
    _row("stop_gradient", M),
)

_WRONG = {
    "sparsemax": "Keras's do not sum to 1: test_activation.py",
    "sparsemax-axis0": "as above",
    "softmax-uint8": "Keras gives NaN",
    "image.gaussian_blur-size": "Keras's is not a Gaussian bell for oblong kernels: test_image.py",
    "istft-plain": "Keras's istft of stft is not the signal: test_signal.py",
}
_ALL = (
    *UNARY, *KINDS, *BINARY, *REDUCTIONS, *SHAPING, *CREATION, *INDEXING, *LINALG, *SIGNAL,
    *CONVOLUTIONS, *POOLING, *LOSSES, *NORMALIZATION, *IMAGES, *OTHERS,
)  # fmt: skip
CASES = tuple(_differs(case, _WRONG[case.id]) if case.id in _WRONG else case for case in _ALL)

# Public ops without a row, and why.
UNLISTED = {
    **dict.fromkeys(("empty", "empty_like"), "the values do not matter"),
    **dict.fromkeys(
        (
            "associative_scan cond custom_gradient fori_loop jvp map scan switch vectorize "
            "vectorized_map while_loop"
        ).split(),
        "takes functions: test_control.py",
    ),
    **dict.fromkeys(
        "convert_to_numpy convert_to_tensor dtype is_tensor ndim shape size".split(),
        "asks or converts: test_control.py",
    ),
    "image.elastic_transform": "random: test_image.py",
}
