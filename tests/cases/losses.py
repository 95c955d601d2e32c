"""Loss cases: every loss class, its options, every reduction, with and without weights."""

from .spec import ArrayInput as X
from .spec import LossCase as Case

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)
WEIGHT = X((4,), low=0.2, high=2.0)
REAL = (X((4, 3)), X((4, 3)))
POSITIVE = (X((4, 3), low=0.1, high=3.0), X((4, 3), low=0.1, high=3.0))
RANK3 = (X((2, 3, 4)), X((2, 3, 4)))
BINARY = (X((4, 3), "int32", 0, 2), X((4, 3), low=0.02, high=0.98))
BINARY_LOGITS = (X((4, 3), "int32", 0, 2), X((4, 3), low=-4, high=4))
SIGNS = (
    X(dtype="float32", values=((1, -1, 1), (-1, -1, 1), (1, 1, 1), (-1, 1, -1))),
    X((4, 3), low=-2, high=2),
)
ONE_HOT = X(dtype="float32", values=((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 0)))
CATEGORIES = (ONE_HOT, X((4, 3), low=0.05, high=1.0, sum_to_one=True))
CATEGORY_LOGITS = (ONE_HOT, X((4, 3), low=-4, high=4))
SPARSE = (X(dtype="int32", values=(0, 2, 1, 1)), X((4, 3), low=0.05, high=1.0, sum_to_one=True))
SPARSE_LOGITS = (X(dtype="int32", values=(0, 2, 1, 1)), X((4, 3), low=-4, high=4))
DISTRIBUTIONS = (
    X((4, 3), low=0.05, high=1.0, sum_to_one=True),
    X((4, 3), low=0.05, high=1.0, sum_to_one=True),
)


def _family(name, loss, pair, variants=(("", {}),)):
    """Each variant once plainly, the first one with every reduction, weighted and not."""
    cases = []
    for position, (suffix, kwargs, *other) in enumerate(variants):
        y_true, y_pred = other[0] if other else pair
        base = f"{name}_{suffix}" if suffix else name
        reductions = REDUCTIONS if position == 0 else ("sum_over_batch_size", "none")
        cases.append(Case(base, loss, y_true, y_pred, kwargs, reductions=reductions))
        cases.append(Case(f"{base}_weighted", loss, y_true, y_pred, kwargs, WEIGHT, reductions))
    return tuple(cases)


_SMOOTH = {"label_smoothing": 0.2}
_LOGITS = {"from_logits": True}

LOSS_CASES: tuple[Case, ...] = (
    *_family("mean_squared_error", "MeanSquaredError", REAL),
    *_family("mean_absolute_error", "MeanAbsoluteError", REAL),
    *_family("mean_absolute_percentage_error", "MeanAbsolutePercentageError", POSITIVE),
    *_family("mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", POSITIVE),
    *_family("huber", "Huber", REAL, (("", {}), ("delta", {"delta": 0.3}))),
    *_family("log_cosh", "LogCosh", REAL),
    *_family("cosine_similarity", "CosineSimilarity", REAL),
    *_family("poisson", "Poisson", POSITIVE),
    *_family("kl_divergence", "KLDivergence", DISTRIBUTIONS),
    *_family("hinge", "Hinge", SIGNS, (("", {}), ("zero_one", {}, (BINARY[0], SIGNS[1])))),
    *_family("squared_hinge", "SquaredHinge", SIGNS),
    *_family("categorical_hinge", "CategoricalHinge", CATEGORIES),
    *_family(
        "binary_crossentropy",
        "BinaryCrossentropy",
        BINARY,
        (
            ("", {}),
            ("logits", _LOGITS, BINARY_LOGITS),
            ("smoothing", _SMOOTH),
            ("logits_smoothing", {**_LOGITS, **_SMOOTH}, BINARY_LOGITS),
        ),
    ),
    *_family(
        "binary_focal_crossentropy",
        "BinaryFocalCrossentropy",
        BINARY,
        (
            ("", {}),
            ("logits", _LOGITS, BINARY_LOGITS),
            ("balanced", {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5}),
            ("smoothing", _SMOOTH),
        ),
    ),
    *_family(
        "categorical_crossentropy",
        "CategoricalCrossentropy",
        CATEGORIES,
        (
            ("", {}),
            ("logits", _LOGITS, CATEGORY_LOGITS),
            ("smoothing", _SMOOTH),
            ("logits_smoothing", {**_LOGITS, **_SMOOTH}, CATEGORY_LOGITS),
            ("unnormalized", {}, (ONE_HOT, X((4, 3), low=0.1, high=2.0))),
        ),
    ),
    *_family(
        "categorical_focal_crossentropy",
        "CategoricalFocalCrossentropy",
        CATEGORIES,
        (
            ("", {}),
            ("logits", _LOGITS, CATEGORY_LOGITS),
            ("parameters", {"alpha": 0.5, "gamma": 1.0, "label_smoothing": 0.1}),
        ),
    ),
    *_family(
        "categorical_generalized_cross_entropy",
        "CategoricalGeneralizedCrossEntropy",
        (X(dtype="int32", values=(0, 2, 1, 1)), SPARSE[1]),
        (("", {}), ("q", {"q": 0.9})),
    ),
    *_family(
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        SPARSE,
        (
            ("", {}),
            ("logits", _LOGITS, SPARSE_LOGITS),
            ("ignore_class", {"ignore_class": 1}),
            ("column", {}, (X(dtype="int32", values=((0,), (2,), (1,), (1,))), SPARSE[1])),
        ),
    ),
    *_family("dice", "Dice", BINARY, (("", {}), ("axis", {"axis": (1,)}))),
    *_family("tversky", "Tversky", BINARY, (("", {}), ("parameters", {"alpha": 0.3, "beta": 0.7}))),
    Case("cosine_similarity_axis0", "CosineSimilarity", *REAL, {"axis": 0}, reductions=REDUCTIONS),
    Case("mean_squared_error_rank3", "MeanSquaredError", *RANK3, reductions=REDUCTIONS),
    Case(
        "mean_squared_error_rank3_weighted_rows",
        "MeanSquaredError",
        *RANK3,
        sample_weight=X((2, 3), low=0.2, high=2.0),
        reductions=REDUCTIONS,
    ),
    Case(
        "mean_squared_error_rank3_weighted_batch",
        "MeanSquaredError",
        *RANK3,
        sample_weight=X((2, 1), low=0.2, high=2.0),
        reductions=REDUCTIONS,
    ),
    Case(
        "sparse_categorical_crossentropy_sequence",
        "SparseCategoricalCrossentropy",
        X((2, 5), "int32", 0, 3),
        X((2, 5, 3), low=-3, high=3),
        {"from_logits": True},
        reductions=REDUCTIONS,
    ),
    Case(
        "mean_squared_error_squeeze",
        "MeanSquaredError",
        X((4,)),
        X((4, 1)),
        reductions=("sum_over_batch_size", "none"),
    ),
    Case(
        "circle",
        "Circle",
        X(dtype="int32", values=(0, 1, 0, 1, 2, 2)),
        X((6, 4)),
        reductions=("sum_over_batch_size", "none"),
        tolerance=1e-4,
    ),
    Case(
        "circle_parameters",
        "Circle",
        X(dtype="int32", values=(0, 1, 0, 1, 2, 2)),
        X((6, 4)),
        {"gamma": 20.0, "margin": 0.25},
        X((6,), low=0.2, high=2.0),
        reductions=("sum_over_batch_size", "none"),
        tolerance=1e-4,
    ),
    Case(
        "ctc",
        "CTC",
        X(dtype="int32", values=((1, 2, 0), (3, 1, 2))),
        X((2, 7, 5), low=-2, high=2),
        reductions=("sum_over_batch_size", "none"),
        tolerance=1e-4,
    ),
)
LOSS_CASES_BY_ID: dict[str, Case] = {case.id: case for case in LOSS_CASES}
assert len(LOSS_CASES_BY_ID) == len(LOSS_CASES), "two loss cases share one id"
