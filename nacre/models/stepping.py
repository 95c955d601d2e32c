"""The part of a model below `fit`: its steps as methods, pure losses, and all its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from nacre.core.computed import Computed
from nacre.core.keywords import any_arguments
from nacre.core.traceback import boundary, computing_boundary
from nacre.layers.base.layer import Layer
from nacre.training import pure_losses
from nacre.training import state_tree as state_trees
from nacre.training.base_steps import base_step
from nacre.training.compiled_faces import CompiledLoss, CompiledMetrics
from nacre.training.own_steps import StepName, step_on_variables

if TYPE_CHECKING:
    from nacre.training.compile import CompiledTraining


class Stepping(Layer):
    """A layer whose training can be taken apart: what `Trainable` has below `fit`."""

    _trainer: CompiledTraining | None

    # ---------------------------------------------------------------- steps

    @any_arguments
    @computing_boundary
    def train_step(self, state: Any = None, data: Any = None) -> Any:
        """One step of training. Override it to train in another way, and call it by `super()`.

        It has two forms. `train_step(data)` reads and assigns variables, as in tf.keras: a subclass
        writes `def train_step(self, data)`, may change the data before `super().train_step(data)`
        and the logs after it. `train_step(state, data)` is a pure function, as in Keras on JAX, and
        gives `(logs, new state)`; `state` holds the values of `trainable_variables`,
        `non_trainable_variables`, `optimizer.variables` and `metrics_variables`. `fit` and
        `train_on_batch` compile the form that a subclass has, with all it calls, into one program.

        Args:
            state: Values, in the second form; in the first the batch.
            data: The batch: x, (x, y) or (x, y, sample_weight).

        Returns:
            What is reported, by name. Called by itself, outside of `fit`, the first form is one
            step on the model, and metrics go on from where they are.

        Raises:
            NotCompiledError: `compile` was not called.
        Example:
            >>> import nacre
            >>> class Noisy(nacre.Model):
            ...     def __init__(self):
            ...         super().__init__()
            ...         self.out = nacre.layers.Dense(1)
            ...
            ...     def call(self, x):
            ...         return self.out(x)
            ...
            ...     def train_step(self, data):
            ...         x, y = data
            ...         return super().train_step((x + nacre.random.normal(x.shape), y))
            >>> model = Noisy()
            >>> model.compile("sgd", "mse")
            >>> x = nacre.ops.ones((8, 2))
            >>> list(model.fit(x, x[:, :1], verbose=0).history)
            ['loss']
        """
        return base_step(self, "train_step", state, data)

    @any_arguments
    @computing_boundary
    def test_step(self, state: Any = None, data: Any = None) -> Any:
        """One step of `evaluate`; the two forms are those of `train_step`.

        Args:
            state: Values of `trainable_variables`, `non_trainable_variables` and
                `metrics_variables`, in the second form; in the first the batch.
            data: The batch.

        Returns:
            What is reported, by name; in the second form (logs, new state).
        """
        return base_step(self, "test_step", state, data)

    @any_arguments
    @computing_boundary
    def predict_step(self, state: Any = None, data: Any = None) -> Any:
        """One step of `predict`. Override it to give something else, such as class numbers.

        Rows of what it gives must be those of the batch, where `predict` is to join batches.

        Args:
            state: Values of `trainable_variables` and `non_trainable_variables`, in the form that
                gives (outputs, new values of the latter); in the other form the batch.
            data: The batch: x, or (x, y) where the source of `predict` gives targets too.

        Returns:
            The outputs.
        """
        return base_step(self, "predict_step", state, data)

    train_function: Any = None
    test_function: Any = None
    predict_function: Any = None

    @any_arguments
    def make_train_function(self, force: bool = False) -> Callable[[Iterator[Any]], Any]:
        """The function that runs a step of training on the next batch of an iterator.

        A subclass may override it and give a function of its own, which `fit` then compiles in the
        place of `train_step`; it calls it with an iterator over one batch. `fit` has no use for
        this one.

        Args:
            force: Whether to make it anew where `self.train_function` is one already.
        """
        return self._step_function("train_step", force)

    @any_arguments
    def make_test_function(self, force: bool = False) -> Callable[[Iterator[Any]], Any]:
        """The same for `evaluate` and `test_step`: `self.test_function`."""
        return self._step_function("test_step", force)

    @any_arguments
    def make_predict_function(self, force: bool = False) -> Callable[[Iterator[Any]], Any]:
        """The same for `predict` and `predict_step`: `self.predict_function`."""
        return self._step_function("predict_step", force)

    def _step_function(self, name: StepName, force: bool) -> Callable[[Iterator[Any]], Any]:
        attribute = f"{name.removesuffix('step')}function"
        if force or getattr(self, attribute) is None:

            def run(iterator: Iterator[Any]) -> Any:
                return step_on_variables(self, name, next(iterator))

            setattr(self, attribute, run)
        return getattr(self, attribute)

    # ---------------------------------------------------------------- losses

    @boundary
    def stateless_compute_loss(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple[Any, tuple[list[Any], list[Any], list[Any]]]:
        """`compute_loss` as a pure function of the variables' values.

        Returns:
            (loss, (trainable, non-trainable, metrics values after it)).
        """
        return pure_losses.stateless_compute_loss(
            self,
            (trainable_variables, non_trainable_variables, metrics_variables),
            (x, y, y_pred, sample_weight, training),
        )

    @boundary
    def compute_loss_and_updates(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any,
        y: Any,
        sample_weight: Any,
        training: bool = False,
        optimizer_variables: Any = None,
    ) -> tuple[Any, tuple[Any, Any, list[Any], list[Any]]]:
        """The loss of a batch as a pure function, for `jax.value_and_grad(..., has_aux=True)`.

        Returns:
            (the loss to differentiate, scaled where the optimizer scales it, (the loss itself,
            predictions, non-trainable values, metrics values)).
        """
        return pure_losses.compute_loss_and_updates(
            self,
            (trainable_variables, non_trainable_variables, metrics_variables),
            (x, y, sample_weight),
            training,
            optimizer_variables,
        )

    @Computed
    def compiled_loss(self) -> CompiledLoss:
        """The losses of `compile` as a function, for a `train_step` written for tf.keras 2:
        `self.compiled_loss(y, y_pred, regularization_losses=self.losses)`."""
        return CompiledLoss(self)

    @Computed
    def compiled_metrics(self) -> CompiledMetrics:
        """The metrics of `compile` as one, for a `train_step` written for tf.keras 2:
        `self.compiled_metrics.update_state(y, y_pred)`."""
        return CompiledMetrics(self)

    # ---------------------------------------------------------------- state

    @boundary
    def get_state_tree(
        self, value_format: Literal["backend_tensor", "numpy_array"] = "backend_tensor"
    ) -> dict[str, dict[str, Any]]:
        """The values of all variables as nested dicts, by the names of layers.

        Differs from Keras: of variables with one path, as two metrics of one name have, each is in
        it, from the second on with a number; a model that was not compiled has no state of an
        optimizer.

        Args:
            value_format: 'backend_tensor' for arrays of JAX, 'numpy_array' for NumPy's.

        Returns:
            A dict with the keys 'trainable_variables', 'non_trainable_variables' (statistics and
            seeds), 'optimizer_variables' and 'metrics_variables'.

        Example:
            >>> import nacre
            >>> model = nacre.Sequential([nacre.Input((2,)), nacre.layers.Dense(1, name="out")])
            >>> tree = model.get_state_tree()["trainable_variables"][model.name]
            >>> tree["out"]["kernel"].shape
            (2, 1)
        """
        return state_trees.get_state_tree(self, value_format)

    @boundary
    def set_state_tree(self, state_tree: Mapping[str, Any]) -> None:
        """Set variables to what `get_state_tree` gave, or to parts of it.

        What the tree does not name stays as it is. Nothing changes where anything does not fit.

        Args:
            state_tree: Nested dicts; they may leave out groups, layers and variables.

        Raises:
            ArgumentError: A name that the model does not have (which Keras passes over).
            ShapeError: A value of another shape.
        """
        state_trees.set_state_tree(self, state_tree)

    def jax_state_sync(self) -> None:
        """Kept for programs written for Keras on JAX, where a training's newest values come into
        the variables by it. Here whoever reads a variable gets them."""


__all__ = ["Stepping"]
