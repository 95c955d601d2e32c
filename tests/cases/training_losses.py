"""Training cases: losses, metrics, several outputs, weights of classes and samples."""

from __future__ import annotations

from .spec import ArrayInput as X
from .training_case import MASKED_METRIC, RAGGED_ROWS, Table, loss, metric, stack

LOSSES = Table()
case = LOSSES.case

CLASS = X((), "int32", 0, 3)
ONE_HOT = X((3,), low=0.0, high=1.0, sum_to_one=True)
YES_OR_NO = X((2,), "int32", 0, 2)
SIGN = X((2,), "int32", 0, 2)
POSITIVE = X((2,), low=0.2, high=2.0)


def heads(k, widths, activation=None):
    """One hidden layer and a Dense for each name."""
    inputs = k.Input((4,))
    hidden = k.layers.Dense(4, activation="tanh")(inputs)
    outputs = {
        name: k.layers.Dense(width, activation=activation, name=name)(hidden)
        for name, width in widths.items()
    }
    return k.Model(inputs, outputs)


REGRESSION = {
    "squared": "mse",
    "absolute": "mae",
    "huber": loss("Huber", delta=0.4),
    "log_cosh": "log_cosh",
    "cosine": loss("CosineSimilarity"),
}


@case(
    (4,),
    dict.fromkeys(REGRESSION, (2,)),
    compiling={"loss": REGRESSION, "metrics": {"squared": ["mae"], "cosine": ["mse"]}},
)
def regression_losses(k):
    return heads(k, dict.fromkeys(REGRESSION, 2))


RATIO = {
    "percentage": "mean_absolute_percentage_error",
    "logarithmic": "mean_squared_logarithmic_error",
    "poisson": "poisson",
}


@case(
    (4,),
    dict.fromkeys(RATIO, POSITIVE),
    "sgd",
    compiling={
        "loss": RATIO,
        "loss_weights": {"percentage": 0.01, "logarithmic": 1.0, "poisson": 0.5},
        "metrics": None,
    },
)
def losses_of_positive_values(k):
    return heads(k, dict.fromkeys(RATIO, 2), "softplus")


CLASSES = {
    "binary": "binary_crossentropy",
    "binary_smooth": loss("BinaryCrossentropy", label_smoothing=0.1),
    "focal": loss("BinaryFocalCrossentropy", gamma=1.5, apply_class_balancing=True),
}
PROBABILITIES = {
    "one_hot": "categorical_crossentropy",
    "smooth": loss("CategoricalCrossentropy", label_smoothing=0.2),
    "sparse": "sparse_categorical_crossentropy",
    "divergence": "kl_divergence",
    "focal": loss("CategoricalFocalCrossentropy"),
}


@case(
    (4,),
    dict.fromkeys(CLASSES, YES_OR_NO),
    compiling={
        "loss": CLASSES,
        "metrics": {"binary": ["accuracy", metric("AUC", num_thresholds=20)], "focal": ["mse"]},
    },
)
def sigmoid_losses(k):
    return heads(k, dict.fromkeys(CLASSES, 2), "sigmoid")


@case(
    (4,),
    {**dict.fromkeys(PROBABILITIES, ONE_HOT), "sparse": CLASS},
    "sgd",
    compiling={
        "loss": PROBABILITIES,
        "metrics": {
            "one_hot": ["accuracy"],
            "sparse": ["accuracy"],
            "smooth": ["categorical_crossentropy"],
        },
    },
)
def softmax_losses(k):
    return heads(k, dict.fromkeys(PROBABILITIES, 3), "softmax")


LOGITS = {
    "binary": loss("BinaryCrossentropy", from_logits=True),
    "binary_smooth": loss("BinaryCrossentropy", from_logits=True, label_smoothing=0.1),
    "focal": loss("BinaryFocalCrossentropy", from_logits=True),
    "one_hot": loss("CategoricalCrossentropy", from_logits=True, label_smoothing=0.1),
    "sparse": loss("SparseCategoricalCrossentropy", from_logits=True),
    "ignoring": loss("SparseCategoricalCrossentropy", from_logits=True, ignore_class=1),
}


@case(
    (4,),
    {
        "binary": YES_OR_NO,
        "binary_smooth": YES_OR_NO,
        "focal": YES_OR_NO,
        "one_hot": ONE_HOT,
        "sparse": CLASS,
        "ignoring": CLASS,
    },
    compiling={
        "loss": LOGITS,
        "metrics": {"sparse": ["accuracy", metric("SparseTopKCategoricalAccuracy", k=2)]},
    },
)
def losses_of_logits(k):
    widths = {"binary": 2, "binary_smooth": 2, "focal": 2, "one_hot": 3, "sparse": 3, "ignoring": 3}
    return heads(k, widths)


HINGES = {"hinge": "hinge", "squared_hinge": "squared_hinge", "categorical": "categorical_hinge"}


@case(
    (4,),
    {"hinge": SIGN, "squared_hinge": SIGN, "categorical": ONE_HOT},
    "sgd",
    compiling={"loss": HINGES, "metrics": None},
)
def hinge_losses(k):
    return heads(k, {"hinge": 2, "squared_hinge": 2, "categorical": 3})


# ------------------------------------------------------------------------------- whole models


@case(
    (6,),
    X((), "int32", 0, 3),
    compiling={
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "weighted_metrics": ["accuracy"],
    },
    fitting={"class_weight": {0: 1.0, 1: 0.5, 2: 3.0}},
    has_inference=True,
)
def class_weight_of_classes(k):
    return stack(
        k,
        (6,),
        k.layers.Dense(5, activation="relu"),
        k.layers.Dense(3, activation="softmax"),
    )


@case(
    (6,),
    X((1,), "int32", 0, 2),
    "sgd",
    compiling={"loss": "binary_crossentropy", "metrics": ["accuracy"]},
    fitting={"class_weight": {0: 1.0, 1: 4.0}},
)
def class_weight_of_two(k):
    return stack(
        k,
        (6,),
        k.layers.Dense(5, activation="relu"),
        k.layers.Dense(1, activation="sigmoid"),
    )


@case(
    (4,),
    (2,),
    compiling={"weighted_metrics": ["mae"], "metrics": ["mse"]},
    sample_weight=X((), low=0.0, high=2.0),
    rows=RAGGED_ROWS,
)
def sample_weight_of_rows(k):
    return stack(
        k, (4,), k.layers.Dense(5, activation="tanh", kernel_regularizer="l2"), k.layers.Dense(2)
    )


@case(
    (5, 3),
    (5, 2),
    "sgd",
    compiling={"weighted_metrics": ["mae"]},
    sample_weight=X((5,), low=0.0, high=2.0),
    has_inference=True,
)
def sample_weight_of_steps(k):
    return stack(k, (5, 3), k.layers.GRU(3, return_sequences=True), k.layers.Dense(2))


@case(
    (6, 3),
    X((6,), "int32", 0, 3),
    "sgd",
    padded=True,
    compiling={
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "weighted_metrics": ["accuracy"],
    },
    sample_weight=X((6,), low=0.5, high=2.0),
    unlike_keras={"accuracy": MASKED_METRIC, "weighted_accuracy": MASKED_METRIC},
)
def sample_weight_and_mask(k):
    return stack(
        k,
        (6, 3),
        k.layers.Masking(),
        k.layers.LSTM(3, return_sequences=True),
        k.layers.Dense(3, activation="softmax"),
    )


@case(
    [(4,), (3,)],
    [(2,), CLASS],
    compiling={
        "loss": ["mse", "sparse_categorical_crossentropy"],
        "loss_weights": [0.5, 2.0],
        "metrics": [["mae"], ["accuracy"]],
    },
    sample_weight=(X((), low=0.0, high=2.0), X((), low=0.0, high=2.0)),
)
def two_inputs_two_outputs(k):
    first, second = k.Input((4,)), k.Input((3,))
    joined = k.layers.Concatenate()([first, k.layers.Dense(3, activation="tanh")(second)])
    value = k.layers.Dense(2, name="value")(joined)
    kind = k.layers.Dense(3, activation="softmax", name="kind")(joined)
    return k.Model([first, second], [value, kind])


@case(
    (4,),
    {"value": (1,), "kind": ONE_HOT},
    "sgd",
    compiling={
        "loss": {"value": "mse", "kind": "categorical_crossentropy"},
        "loss_weights": {"value": 0.3, "kind": 1.5},
        "metrics": {"value": "mae", "kind": ["accuracy", "kl_divergence"]},
    },
    rows=RAGGED_ROWS,
)
def outputs_by_name_ragged(k):
    inputs = k.Input((4,))
    hidden = k.layers.Dense(4, activation="tanh")(inputs)
    value = k.layers.Dense(1, name="value")(hidden)
    kind = k.layers.Dense(3, activation="softmax", name="kind")(hidden)
    return k.Model(inputs, {"value": value, "kind": kind})


UNUSUAL = {
    "sigmoid_of_classes": "categorical_crossentropy",
    "softmax_of_two": "binary_crossentropy",
}


@case(
    (4,),
    dict.fromkeys(UNUSUAL, ONE_HOT),
    "sgd",
    compiling={"loss": UNUSUAL, "metrics": None},
    backend="tensorflow",
)
def losses_of_the_other_activation(k):
    """Sigmoids under a loss of classes, a softmax under the loss of yes-or-no answers, as many
    scripts have them. Keras on TensorFlow hands the loss the logits, whatever was made of them."""
    inputs = k.Input((4,))
    hidden = k.layers.Dense(4, activation="tanh")(inputs)
    sigmoid = k.layers.Dense(3, activation="sigmoid", name="sigmoid_of_classes")(hidden)
    softmax = k.layers.Dense(3, activation="softmax", name="softmax_of_two")(hidden)
    return k.Model(inputs, {"sigmoid_of_classes": sigmoid, "softmax_of_two": softmax})


@case(
    (4,),
    X((1,), "int32", 0, 2),
    compiling={
        "loss": loss("BinaryCrossentropy", reduction="sum"),
        "metrics": [
            "accuracy",
            metric("Precision", thresholds=0.4),
            metric("Recall"),
            metric("F1Score", average="micro", threshold=0.5),
            metric("MeanSquaredError"),
        ],
    },
    rows=RAGGED_ROWS,
)
def metrics_with_state(k):
    return stack(
        k,
        (4,),
        k.layers.Dense(5, activation="tanh"),
        k.layers.Dense(1, activation="sigmoid"),
    )


def relative_error(y_true, y_pred):
    """A loss of the user's own, one number for each row; arrays know these operators."""
    difference = y_true - y_pred
    return (difference * difference).mean(axis=-1) / (1.0 + (y_true * y_true).mean(axis=-1))


@case((4,), (2,), "sgd", compiling={"loss": relative_error, "metrics": [relative_error]})
def own_loss_function(k):
    return stack(k, (4,), k.layers.Dense(5, activation="tanh"), k.layers.Dense(2))
