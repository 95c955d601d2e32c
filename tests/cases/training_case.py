"""What a training case is, and how it is run: ten steps of `fit`, then `evaluate` and `predict`.

Nothing here imports the library under test: `run_training` is handed it, so that the script that
writes the reference numbers and the test do the very same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .spec import ArrayInput, Spec, build, draw, generator

BATCH = 4
EPOCHS = 2  # of five batches each; two, so that metrics are reset between them
ROWS = 20
RAGGED_ROWS = 18  # the last of the five batches has two rows

Arrays = ArrayInput | tuple[ArrayInput, ...] | dict[str, ArrayInput]
MASKED_METRIC = "Keras 3 counts masked steps in metrics; nacre leaves them out, as tf.keras 2 did"
POSITIVE_NAMES = ("variance", "gamma", "scale")


@dataclass(frozen=True)
class TrainingCase:
    """One tiny model and how it is trained. Shapes of arrays are those of one row.

    Attributes:
        id: Unique; prefix of the keys in the reference file.
        builder: Takes the library, returns the model, not compiled. Without randomness.
        inputs, targets: One array, a tuple, or arrays by name, as the model takes them.
        optimizer: "adam", "sgd" (with momentum), or a `Spec`.
        compiling: Arguments of `compile`; `Spec` inside is built first.
        fitting: Further arguments of `fit` but `sample_weight`.
        sample_weight: Weights to draw, in the structure of the targets.
        padded: Steps of every input beyond a length drawn for each row are 0.
        rows: How many rows of data.
        weight_scale: The initial weights are drawn from ±0.6 times this.
        unlike_keras: Names of logs that differ from Keras's on purpose, each with the reason.
        backend: Of Keras, for the reference numbers; not JAX where that one errs.
        has_inference: Inference is another computation than training, or worth a look.
        tolerance: Closeness of losses and metrics, relative.
        weight_tolerance: Closeness of weights, relative and a tenth of it absolute.
    """

    id: str
    builder: Callable[[Any], Any]
    inputs: Arrays
    targets: Arrays
    optimizer: str | Spec = "adam"
    compiling: dict[str, Any] = field(default_factory=dict)
    fitting: dict[str, Any] = field(default_factory=dict)
    sample_weight: Arrays | None = None
    padded: bool = False
    rows: int = ROWS
    weight_scale: float = 1.0
    unlike_keras: dict[str, str] = field(default_factory=dict)
    backend: str = "jax"
    has_inference: bool = False
    tolerance: float = 1e-5
    weight_tolerance: float = 1e-4

    @property
    def is_inferring(self) -> bool:
        """Whether evaluate and predict are compared too: they pad rows and meet masks and
        structures; elsewhere the weights say it all, and compiling costs a second."""
        has_structure = not isinstance(self.targets, ArrayInput)
        return self.has_inference or self.rows != ROWS or self.padded or has_structure


def loss(name: str, **kwargs: Any) -> Spec:
    return Spec(name, kwargs, namespace="losses")


def metric(name: str, **kwargs: Any) -> Spec:
    return Spec(name, kwargs, namespace="metrics")


def optimizer(name: str, **kwargs: Any) -> Spec:
    return Spec(name, kwargs, namespace="optimizers")


OPTIMIZERS = {
    "adam": optimizer("Adam", learning_rate=0.02),
    "sgd": optimizer("SGD", learning_rate=0.03, momentum=0.9),
}


class Table(list):
    """Cases in order; `@table.case(...)` adds the builder below it under its own name."""

    def case(
        self, inputs: Any, targets: Any = (2,), optimizer: str | Spec = "adam", **kwargs: Any
    ) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
        """Shapes instead of `ArrayInput` mean floats in ±1."""

        def add(builder: Callable[[Any], Any]) -> Callable[[Any], Any]:
            case = TrainingCase(
                builder.__name__, builder, _arrays(inputs), _arrays(targets), optimizer, **kwargs
            )
            self.append(case)
            return builder

        return add


def _arrays(value: Any) -> Arrays:
    if isinstance(value, dict):
        return {name: _arrays(item) for name, item in value.items()}
    if isinstance(value, tuple) and all(isinstance(item, int) for item in value):
        return ArrayInput(value)
    return tuple(map(_arrays, value)) if isinstance(value, (tuple, list)) else value


def stack(library: Any, shape: tuple[int | None, ...], *layers: Any, dtype: Any = None) -> Any:
    """A `Sequential` with its input."""
    return library.Sequential([library.Input(shape, dtype=dtype), *layers])


# ---------------------------------------------------------------------------------- data


def map_arrays(function: Callable[[Any], Any], value: Any) -> Any:
    """`function` of every array in a tuple or dict, or of the one array."""
    if isinstance(value, dict):
        return {name: map_arrays(function, item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(map_arrays(function, item) for item in value)
    return function(value)


def leaves(value: Any) -> list[Any]:
    """The arrays of a nested value; dicts in the order of their sorted names."""
    if isinstance(value, dict):
        return [leaf for name in sorted(value) for leaf in leaves(value[name])]
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def data_of(case: TrainingCase) -> dict[str, np.ndarray]:
    """The arrays of a case: `x_<i>`, `y_<i>` and `weight_<i>`."""
    random = generator(case.id)
    lengths = random.integers(1, 6, case.rows)
    found: dict[str, np.ndarray] = {}
    for prefix, value in (("x", case.inputs), ("y", case.targets), ("weight", case.sample_weight)):
        for i, spec in enumerate(leaves(value) if value is not None else []):
            array = draw(replace(spec, shape=(case.rows, *spec.shape)), random)
            if prefix == "x" and case.padded:
                for row, length in zip(array, lengths, strict=True):
                    row[length:] = 0
            found[f"{prefix}_{i}"] = array
    return found


def arranged(case: TrainingCase, arrays: dict[str, np.ndarray]) -> tuple[Any, Any, Any]:
    """x, y and sample weights in the structure the case declares."""

    def restore(prefix: str, value: Any) -> Any:
        if value is None:
            return None
        numbers = {id(spec): i for i, spec in enumerate(leaves(value))}
        return map_arrays(lambda spec: arrays[f"{prefix}_{numbers[id(spec)]}"], value)

    parts = (("x", case.inputs), ("y", case.targets), ("weight", case.sample_weight))
    x, y, weight = (restore(prefix, value) for prefix, value in parts)
    return x, y, weight


def initial_weights(case: TrainingCase, model: Any) -> list[np.ndarray]:
    """Values for every weight, by its place; nothing is zero, as zero biases hide mistakes."""
    random = generator(f"{case.id} weights")
    values = []
    for weight in model.weights:
        shape = tuple(weight.shape)
        positive = any(word in weight.path for word in POSITIVE_NAMES)
        low, high = (0.5, 1.5) if positive else (-0.6 * case.weight_scale, 0.6 * case.weight_scale)
        values.append(random.uniform(low, high, shape).astype("float32"))
    return values


# ------------------------------------------------------------------------------- running


def compiled_model(case: TrainingCase, library: Any) -> Any:
    """The model of a case, compiled: mean squared error and mean absolute error by default."""
    model = case.builder(library)
    arguments = {"loss": "mse", "metrics": ["mae"], **case.compiling}
    spec = OPTIMIZERS[case.optimizer] if isinstance(case.optimizer, str) else case.optimizer
    model.compile(optimizer=build(spec, library), **build(arguments, library))
    return model


def run_training(
    case: TrainingCase,
    library: Any,
    arrays: dict[str, np.ndarray],
    initial: Any = None,
    is_inferring: bool = True,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Train, evaluate and predict.

    Args:
        case: The case.
        library: keras, or what has its names.
        arrays: As `data_of` gives them.
        initial: Values of the weights; drawn when None.
        is_inferring: Whether to evaluate and predict after training.

    Returns:
        Arrays (`initial_<i>`, `final_<i>`, `log_<name>` with one number for each step,
        `prediction_<i>`) and facts (`history`, `evaluate`, `weights`: paths and shapes).
    """
    x, y, sample_weight = arranged(case, arrays)
    model = compiled_model(case, library)
    initial = initial_weights(case, model) if initial is None else initial
    model.set_weights(initial)
    steps: list[dict[str, float]] = []
    watch = library.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(
            {name: float(value) for name, value in logs.items()}
        )
    )
    history = model.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        sample_weight=sample_weight,
        callbacks=[watch],
        **case.fitting,
    )
    found = {f"initial_{i}": value for i, value in enumerate(initial)}
    final = model.get_weights()
    found |= {f"final_{i}": np.asarray(value) for i, value in enumerate(final)}
    found |= {f"log_{name}": np.array([step[name] for step in steps]) for name in steps[0]}
    evaluated = {}
    if is_inferring:
        evaluated = model.evaluate(
            x, y, batch_size=BATCH, sample_weight=sample_weight, verbose=0, return_dict=True
        )
        predicted = leaves(model.predict(x, batch_size=BATCH, verbose=0))
        found |= {f"prediction_{i}": np.asarray(value) for i, value in enumerate(predicted)}
    facts = {
        "history": {name: [float(v) for v in values] for name, values in history.history.items()},
        "evaluate": {name: float(value) for name, value in evaluated.items()},
        # Read last: neither evaluate nor predict may change the order of the weights.
        "weights": [[weight.path, list(weight.shape)] for weight in model.weights],
    }
    return found, facts
