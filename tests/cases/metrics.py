"""Metric cases: every metric class over several updates, with and without weights."""

from .spec import ArrayInput as X
from .spec import MetricCase as Case
from .spec import Spec

WEIGHT = X((6,), low=0.2, high=2.0)
REAL = (X((6, 3)), X((6, 3)))
POSITIVE = (X((6, 3), low=0.1, high=3.0), X((6, 3), low=0.1, high=3.0))
LABELS = (X((6,), "int32", 0, 3), X((6,), "int32", 0, 3))
BINARY = (X((6,), "int32", 0, 2), X((6,), low=0.0, high=1.0))
BINARY_COLUMNS = (X((6, 3), "int32", 0, 2), X((6, 3), low=0.0, high=1.0))
BINARY_LOGITS = (X((6, 3), "int32", 0, 2), X((6, 3), low=-3, high=3))
SIGNS = (X((6, 3), "int32", 0, 2), X((6, 3), low=-2, high=2))
SPARSE = (X((6,), "int32", 0, 4), X((6, 4), low=0.05, high=1.0, sum_to_one=True))
SPARSE_LOGITS = (X((6,), "int32", 0, 4), X((6, 4), low=-3, high=3))
ONE_HOT = X(
    dtype="float32",
    values=((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0, 1, 0, 0), (1, 0, 0, 0)),
)
CATEGORIES = (ONE_HOT, X((6, 4), low=0.05, high=1.0, sum_to_one=True))
CATEGORY_LOGITS = (ONE_HOT, X((6, 4), low=-3, high=3))
DISTRIBUTIONS = (
    X((6, 3), low=0.05, high=1.0, sum_to_one=True),
    X((6, 3), low=0.05, high=1.0, sum_to_one=True),
)
WORDS = (
    X((6, 4), "int32", 0, 2),
    X((6, 4), low=0.0, high=1.0),
)


def _family(name, metric, arguments, variants=(("", {}),), is_weighted=True):
    cases = []
    for suffix, kwargs, *other in variants:
        base = f"{name}_{suffix}" if suffix else name
        drawn = other[0] if other else arguments
        cases.append(Case(base, metric, drawn, kwargs))
        if is_weighted:
            cases.append(Case(f"{base}_weighted", metric, drawn, kwargs, WEIGHT))
    return tuple(cases)


_THRESHOLDS = (
    ("", {}),
    ("threshold", {"thresholds": 0.3}),
    ("thresholds", {"thresholds": [0.2, 0.5, 0.8]}),
)
_RANKED = (
    *_THRESHOLDS,
    ("columns", {}, BINARY_COLUMNS),
    ("class_id", {"class_id": 1}, BINARY_COLUMNS),
    ("top_k", {"top_k": 2}, WORDS),
    ("top_k_class_id", {"top_k": 2, "class_id": 1}, WORDS),
)
_F_SCORE = (
    ("", {}),
    ("micro", {"average": "micro"}),
    ("macro", {"average": "macro"}),
    ("weighted_average", {"average": "weighted"}),
    ("threshold", {"threshold": 0.5, "average": "macro"}, WORDS),
)
_SMALL = {"num_thresholds": 20}

METRIC_CASES: tuple[Case, ...] = (
    *_family("mean", "Mean", (X((6,)),)),
    Case("mean_scalar", "Mean", (X(()),)),
    Case("mean_rank2_weighted", "Mean", (X((6, 2)),), {}, X((6, 2), low=0.2, high=2.0)),
    *_family("sum", "Sum", (X((6,)),)),
    Case(
        "mean_metric_wrapper",
        "MeanMetricWrapper",
        REAL,
        {"fn": Spec("mean_absolute_error", namespace="losses", is_call=False)},
        WEIGHT,
    ),
    *_family("mean_squared_error", "MeanSquaredError", REAL),
    *_family("root_mean_squared_error", "RootMeanSquaredError", REAL),
    *_family("mean_absolute_error", "MeanAbsoluteError", REAL),
    *_family("mean_absolute_percentage_error", "MeanAbsolutePercentageError", POSITIVE),
    *_family("mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", POSITIVE),
    *_family("cosine_similarity", "CosineSimilarity", REAL, (("", {}), ("axis", {"axis": 1}))),
    *_family("log_cosh_error", "LogCoshError", REAL),
    *_family(
        "r2_score",
        "R2Score",
        REAL,
        (
            ("", {}),
            ("none", {"class_aggregation": None}),
            ("variance", {"class_aggregation": "variance_weighted_average"}),
            ("regressors", {"num_regressors": 2}),
        ),
    ),
    *_family("pearson_correlation", "PearsonCorrelation", REAL),
    *_family("concordance_correlation", "ConcordanceCorrelation", REAL),
    *_family("kl_divergence", "KLDivergence", DISTRIBUTIONS),
    *_family("poisson", "Poisson", POSITIVE),
    *_family("hinge", "Hinge", SIGNS),
    *_family("squared_hinge", "SquaredHinge", SIGNS),
    *_family("categorical_hinge", "CategoricalHinge", CATEGORIES),
    *_family("accuracy", "Accuracy", LABELS),
    *_family(
        "binary_accuracy",
        "BinaryAccuracy",
        BINARY_COLUMNS,
        (("", {}), ("threshold", {"threshold": 0.7})),
    ),
    Case(
        "binary_accuracy_column",
        "BinaryAccuracy",
        (X((6,), "int32", 0, 2), X((6, 1), low=0.0, high=1.0)),
    ),
    *_family("categorical_accuracy", "CategoricalAccuracy", CATEGORIES),
    *_family("sparse_categorical_accuracy", "SparseCategoricalAccuracy", SPARSE),
    Case(
        "sparse_categorical_accuracy_column",
        "SparseCategoricalAccuracy",
        (X((6, 1), "int32", 0, 4), SPARSE[1]),
    ),
    Case(
        "sparse_categorical_accuracy_sequence",
        "SparseCategoricalAccuracy",
        (X((2, 3), "int32", 0, 4), X((2, 3, 4))),
        {},
        X((2, 3), low=0.2, high=2.0),
    ),
    *_family(
        "top_k_categorical_accuracy", "TopKCategoricalAccuracy", CATEGORIES, (("", {"k": 2}),)
    ),
    *_family(
        "sparse_top_k_categorical_accuracy",
        "SparseTopKCategoricalAccuracy",
        SPARSE,
        (("", {"k": 2}), ("one", {"k": 1})),
    ),
    *_family(
        "binary_crossentropy",
        "BinaryCrossentropy",
        BINARY_COLUMNS,
        (
            ("", {}),
            ("logits", {"from_logits": True}, BINARY_LOGITS),
            ("smoothing", {"label_smoothing": 0.2}),
        ),
    ),
    *_family(
        "categorical_crossentropy",
        "CategoricalCrossentropy",
        CATEGORIES,
        (
            ("", {}),
            ("logits", {"from_logits": True}, CATEGORY_LOGITS),
            ("smoothing", {"label_smoothing": 0.2}),
        ),
    ),
    *_family(
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        SPARSE,
        (
            ("", {}),
            ("logits", {"from_logits": True}, SPARSE_LOGITS),
            ("ignore_class", {"ignore_class": 1}),
        ),
    ),
    *_family("true_positives", "TruePositives", BINARY, _THRESHOLDS),
    *_family("true_negatives", "TrueNegatives", BINARY, _THRESHOLDS),
    *_family("false_positives", "FalsePositives", BINARY, _THRESHOLDS),
    *_family("false_negatives", "FalseNegatives", BINARY, _THRESHOLDS),
    *_family("precision", "Precision", BINARY, _RANKED),
    *_family("recall", "Recall", BINARY, _RANKED),
    *_family(
        "auc",
        "AUC",
        BINARY,
        (
            ("", {}),
            ("pr", {"curve": "PR"}),
            ("few", {"num_thresholds": 5}),
            ("minoring", {"num_thresholds": 10, "summation_method": "minoring"}),
            ("majoring", {"num_thresholds": 10, "summation_method": "majoring"}),
            ("pr_minoring", {**_SMALL, "curve": "PR", "summation_method": "minoring"}),
            ("thresholds", {"thresholds": [0.25, 0.5, 0.75]}),
            ("logits", {"from_logits": True}, (BINARY[0], X((6,), low=-3, high=3))),
            ("flat_columns", {"num_thresholds": 50}, BINARY_COLUMNS),
        ),
    ),
    Case(
        "auc_multi_label", "AUC", BINARY_COLUMNS, {**_SMALL, "multi_label": True, "num_labels": 3}
    ),
    Case(
        "auc_label_weights",
        "AUC",
        BINARY_COLUMNS,
        {**_SMALL, "multi_label": True, "num_labels": 3, "label_weights": [0.5, 0.3, 0.2]},
    ),
    Case(
        "auc_pr_multi_label",
        "AUC",
        BINARY_COLUMNS,
        {**_SMALL, "curve": "PR", "multi_label": True, "num_labels": 3},
    ),
    *_family("precision_at_recall", "PrecisionAtRecall", BINARY, (("", {"recall": 0.6}),)),
    *_family("recall_at_precision", "RecallAtPrecision", BINARY, (("", {"precision": 0.6}),)),
    *_family(
        "sensitivity_at_specificity",
        "SensitivityAtSpecificity",
        BINARY,
        (("", {"specificity": 0.5}), ("few", {"specificity": 0.4, "num_thresholds": 7})),
    ),
    *_family(
        "specificity_at_sensitivity",
        "SpecificityAtSensitivity",
        BINARY,
        (("", {"sensitivity": 0.5}),),
    ),
    *_family("f1_score", "F1Score", CATEGORIES, _F_SCORE),
    *_family(
        "fbeta_score",
        "FBetaScore",
        CATEGORIES,
        tuple((name, {**kwargs, "beta": 2.0}, *rest) for name, kwargs, *rest in _F_SCORE),
    ),
    *_family(
        "mean_iou",
        "MeanIoU",
        LABELS,
        (("", {"num_classes": 3}), ("ignore", {"num_classes": 3, "ignore_class": 1})),
    ),
    Case(
        "mean_iou_dense",
        "MeanIoU",
        (ONE_HOT, CATEGORIES[1]),
        {"num_classes": 4, "sparse_y_true": False, "sparse_y_pred": False},
    ),
    *_family("iou", "IoU", LABELS, (("", {"num_classes": 3, "target_class_ids": [0, 2]}),)),
    *_family(
        "binary_iou",
        "BinaryIoU",
        BINARY,
        (("", {}), ("one", {"target_class_ids": [1], "threshold": 0.3})),
    ),
    *_family(
        "one_hot_iou",
        "OneHotIoU",
        CATEGORIES,
        (("", {"num_classes": 4, "target_class_ids": [0, 2]}),),
    ),
    *_family("one_hot_mean_iou", "OneHotMeanIoU", CATEGORIES, (("", {"num_classes": 4}),)),
)
METRIC_CASES_BY_ID: dict[str, Case] = {case.id: case for case in METRIC_CASES}
assert len(METRIC_CASES_BY_ID) == len(METRIC_CASES), "two metric cases share one id"
