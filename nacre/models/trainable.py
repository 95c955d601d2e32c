"""The part of a model that is trained: compile, fit, evaluate, predict, and the hooks within."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from nacre.core import changes, tree
from nacre.core.errors import BusyError, SerializationError, message, refuse_unknown
from nacre.core.keywords import OldDataKeywords, any_arguments
from nacre.core.tensors import Count, WholeNumber
from nacre.core.traceback import boundary, computing_boundary
from nacre.core.warning import warn
from nacre.layers.base.inventory import parts_in
from nacre.models.generator_methods import GeneratorMethods
from nacre.models.stepping import Stepping
from nacre.training import checks, evaluation, fitting, prediction
from nacre.training.arguments import keeping, whole_number
from nacre.training.compile import CompiledTraining
from nacre.training.compile_config import compile_config, compile_from_config
from nacre.training.loss_weights import is_weight_function

if TYPE_CHECKING:
    from nacre.callbacks.history import History
    from nacre.callbacks.runner import Callbacks
    from nacre.optimizers import Optimizer
    from nacre.training.explain_nan import NanReport
    from nacre.training.rate_search import RateSearch


class OldCompileKeywords(TypedDict, total=False):
    """What tf.keras 2 takes in `compile` and has no meaning here."""

    target_tensors: Any
    sample_weight_mode: Any
    pss_evaluation_shards: Any
    autotune_steps_per_execution: bool


class Trainable(GeneratorMethods, Stepping):
    """A layer that can be trained as a whole: what `Model` has over `Layer` for that."""

    _training_attributes = frozenset(("loss", "optimizer"))

    __slots__ = ("_trainer", "_training_lock", "compiled", "history", "stop_training")

    _trainer: CompiledTraining | None
    optimizer: Optimizer = None  # pyright: ignore[reportAssignmentType]  # before compile(), as in tf.keras 2
    compiled: bool
    history: Any  # History, None before the first fit
    stop_training: bool

    def _init_slots(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super()._init_slots(args, kwargs)
        self._trainer = None
        self._training_lock = threading.RLock()
        self.compiled = False
        self.stop_training = False
        self.history = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute. `optimizer` is what the next `fit` trains with, as in Keras; a `loss`
        set after `compile` changes nothing there, nor here, which is said."""
        trainer = self._trainer if name in Trainable._training_attributes else None
        if trainer is not None and name == "optimizer" and value is not trainer.optimizer:
            self._trainer = trainer.with_optimizer(value)
            value = self._trainer.optimizer
        elif trainer is not None and name == "loss" and _differs(value, trainer.given["loss"]):
            warn(
                message(
                    f"{self._who()}.loss",
                    "fit and evaluate use the loss that compile() was given",
                    "another one, set as an attribute",
                    "Call compile() again, with the same optimizer object to keep its state.",
                )
            )
        super().__setattr__(name, value)

    @boundary
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int | None = None,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        **kwargs: Unpack[OldCompileKeywords],
    ) -> None:
        """Say how the model learns and what is reported.

        Weights stay. A second `compile` with a new optimizer, or a name, starts its state afresh;
        with the same optimizer object `iterations`, learning rate and state go on. Which variables
        are trained is read from `trainable` when the first `fit` after it begins: those that stay
        trainable keep their state, those that became it begin without (under Adam their first steps
        are up to three times as long), the state of frozen ones is dropped. A flag changed after
        that `fit` needs `compile` again; without it the next `fit` is refused before anything
        changes. (tf.keras 2 keeps the flags of `compile`; Keras 3 on JAX fails within the step,
        and refuses an optimizer object that knew other variables.)

        Args:
            optimizer: Name or object.
            loss: Name, function or object. For several outputs the same in the structure of the
                outputs, in a flat list, or in a dict by name; one alone is for each output. Outputs
                with None, or that a dict leaves out, have no loss and need no targets.
            loss_weights: Weight of each output's loss, in the same forms. The numbers count as they
                are now: what is written into the list or dict later is not seen, as in Keras. A
                variable in their place is read at each step, so a callback may change it; a
                schedule counts the optimizer's updates; a function without arguments is computed in
                each step. tf.keras 2's third argument was `metrics`; a list of names there is taken
                as such.
            metrics: Names, functions or objects; lists or dicts of them for several outputs: a list
                as long as the outputs has one entry for each, as in Keras 3; a list of another
                length, which Keras 3 refuses, goes to each output, as in tf.keras 2. Beside a
                loss with `from_logits=True`, metrics of probabilities whose thresholds were left
                at their defaults (`AUC()`, `Precision()`, `BinaryAccuracy()`, cross-entropies ...)
                are given the probabilities of the logits, and the first `fit` or `evaluate` says
                so; a threshold that was given is left alone. (Keras compares logits with it.)
                Sample weights do not count here, but samples and steps of weight 0 are absent for
                this package's metrics (Keras counts them); functions and classes of your own see
                all samples, see `Metric.leaves_out_absent`.
                Logs, history and dicts of results are sorted by name, lists of results are in the
                order of `metrics_names`: the loss, the metrics, the losses of the outputs, as in
                Keras. A direction to improve in is a metric's own, see `Metric.direction`.
            weighted_metrics: The same, weighted by sample weights.
            run_eagerly: Run step by step without compiling, for debugging.
            steps_per_execution: Steps per dispatch; chosen by itself when None. Callbacks see so
                many batches as one: the hook before it is given the number of the first, the hook
                after it that of the last, as in tf.keras 2. (Keras 3 counts beyond the last batch
                where there are fewer.)
            jit_compile: Accepted, kept and saved. False says in Keras that a step is not compiled
                by XLA; there is nothing else to compile it by here, so steps are programs of XLA
                whatever it says, with the same numbers. To run Python at every step pass
                `run_eagerly=True`.
            auto_scale_loss: With 'mixed_float16', scale the loss automatically.
        """
        if _looks_like_metrics(loss_weights) and metrics is None:
            loss_weights, metrics = None, loss_weights
        unknown = {k: v for k, v in kwargs.items() if k not in OldCompileKeywords.__annotations__}
        refuse_unknown(f"{self._who()}.compile", unknown, Trainable.compile)
        ours = [optimizer, loss] + ([self._trainer.given["loss"]] if self._trainer else [])
        for name in ("optimizer", "loss"):
            kept = vars(self).get(name)
            if not any(kept is one for one in ours) and next(parts_in(kept), None) is not None:
                # A layer of the user's would be dropped.
                raise changes.reserved_name_error(self, name, kept)
        self._trainer = CompiledTraining(
            self,
            optimizer=optimizer,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=auto_scale_loss,
        )
        self.optimizer = self._trainer.optimizer
        self.loss = loss
        self.compiled = True
        self.stop_training = False

    @computing_boundary
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: WholeNumber | None = None,
        epochs: WholeNumber = 1,
        verbose: Any = "auto",
        callbacks: Callbacks = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | Literal["batch"] = True,
        class_weight: Mapping[Any, Any] | list[Any] | None = None,
        sample_weight: Any = None,
        initial_epoch: WholeNumber = 0,
        steps_per_epoch: Count | None = None,
        validation_steps: Count | None = None,
        validation_batch_size: WholeNumber | None = None,
        validation_freq: int | list[int] = 1,
        *,
        fast_dev_run: bool | WholeNumber = False,
        overfit_batches: float = 0,
        augment: Any = None,
        resume: str | os.PathLike[str] | None = None,
        resume_every_steps: WholeNumber | None = None,
        resume_every_seconds: float | None = None,
        **kwargs: Unpack[OldDataKeywords],
    ) -> History:
        """Train for a number of epochs and return the `History`.

        The step is compiled, and reads attributes of layers, losses, metrics and the optimizer, and
        what your functions read from outside of them (global numbers and arrays, closures,
        attributes of classes, objects of settings), as they are when `fit` begins and after each
        callback: where one changed, the step is compiled anew. So do `evaluate` and `predict`. (In
        Keras they keep what the first call read.) Not seen are changes in place in NumPy arrays,
        global lists and dicts of more than 16 items, and in layers that the model does not hold.
        Data, targets and weights that a callback changes in place are read again before the next
        epoch (in Keras before the next batch).

        Args:
            x: Arrays (NumPy, JAX, torch), frames and columns of pandas, polars and Arrow, sparse
                arrays of SciPy, JAX and torch (made dense a batch at a time), arrays in files
                (`np.memmap`, h5py, zarr; what is larger than 128 MB is read by rows), lists or
                dicts of these, a generator of batches, a `PyDataset`, or any iterable of batches
                (`tf.data`, grain, a `DataLoader` of torch), whole ones, never single samples; the
                arrays of one may differ in length. A data set of Hugging Face is its columns by
                name, one alone without it; a column 'label' or 'labels' is the targets. Rows are
                paired by position, never by index. Missing values are refused; NaN in a column of
                floats is a number. Categories are their values, never their codes. Integers become
                int32 and are refused where they do not fit; for inputs of floats they become
                floats. From a generator no batch is taken that is not used, so that it can be used
                further (tf.keras 2's `max_queue_size` asks for batches to be made ahead); of all
                other sources the next batches are made in a thread while steps run.
            y: Targets, when `x` is arrays: in the structure of the outputs, in a flat list, or in a
                dict by name. Outputs without loss and metrics need none, and may be left out.
                Names of classes are refused with the line that makes numbers of them for this loss:
                mapped in silence, another set would get other numbers for the same names.
            batch_size: Samples a step; 32 by default.
            epochs: The number of the last epoch.
            verbose: 0 silent, 1 bar, 2 one line an epoch; 'auto' is 1.
            callbacks: Callbacks.
            validation_split: Part of the rows, taken from the end, kept for validation.
            validation_data: (x, y), (x, y, sample_weight) or (x,), or a source of batches.
            shuffle: Whether the samples of arrays, and the batches of a `PyDataset`, come in
                another order in each epoch: a function of the epoch and of a seed drawn when `fit`
                begins, which `set_random_seed` fixes. 'batch' leaves the samples of arrays in
                batches of neighbours, and gives these another order (a smaller one stays last): for
                large files in packed chunks. (Keras documents this, and 3.15 shuffles within each
                batch alone.)
            class_weight: Class index -> weight; classes left out count 1. For models with several
                outputs a dict of these by name, or a list with one (or None) an output. Each label
                gets its class's weight, also where labels have an axis of steps; sample weights
                multiply. Validation is not weighed. (Keras refuses several outputs, steps, and both
                kinds of weights together.)
            sample_weight: One weight a row, or one for each of its labels; for several outputs
                one array for all, a list with one (or None) an output, or a dict by name, where
                outputs left out count 1. What has weight 0 counts nowhere, nor does what it holds:
                not in losses, gradients and metrics, nor in `BatchNormalization`, see there. In a
                `train_step` of your own weights of whole numbers say nothing of samples, as a third
                part of the data may be something else there.
            initial_epoch: The epoch to begin with.
            steps_per_epoch: Steps an epoch; needed for sources without end. More than the data has
                go on with it from its beginning; a generator that is used up ends training.
            validation_steps, validation_batch_size, validation_freq: The same for validation.
            fast_dev_run: Try everything out first: one batch of training and one of validation, or
                as many as this number, in one epoch. Model, optimizer, metrics, seeds, history and
                the generators of Python and NumPy are as before then. Callbacks that write
                (`Callback.writes`) or freeze layers are not called, only asked whether they could.
                The history of the trial is returned. Batches of a generator are used up.
            overfit_batches: Train on so many first batches (or a share below 1) in each epoch,
                unshuffled, and validate on as many of the validation data: a model that cannot
                learn these by heart has a fault. (PyTorch Lightning's two flags.)
            augment: Layers and functions that change each batch of training, and nothing else: not
                validation, not predictions, not the saved model. They run in the compiled step, on
                all kinds of data; of several inputs name the one: `{"image": [RandomFlip()]}`. A
                function takes and returns `x`, `(x, y)` or `(x, y, sample_weight)` of a batch.
                Targets, and weights of pixels, with the images' height and width are moved as
                the pixels are, as are boxes (a dict with 'boxes' among the targets). `MixUp` and
                `CutMix` mix targets exactly, also indices of classes: the loss is that of both
                images' targets, weighed by their shares; metrics see the larger share. Samples of
                weight 0 are not mixed. A `train_step` or `compute_loss` of your own gets mixed
                targets, which must be floats. Layers draw from their seeds, which are part of the
                training's state.
            resume: A folder to keep the training in. Killed at any moment, Ctrl-C and errors among
                the ways, the same call goes on where it was, and ends with the same bits as a
                training that never stopped: weights, optimizer, seeds (Python's and NumPy's too),
                epoch and step, the order of the data, what metrics, history and callbacks remember.
                The newest two states are kept, each written whole or not at all, and a manifest of
                what trained (`nacre.utils.run_manifest`). Another model, compile, data or seed is
                refused; automatic names may have other numbers, as where a notebook's cell runs
                again, and the history then has those of now. An error, or Ctrl-C, between two steps
                leaves the state of that moment; one in a method of a callback, as `on_epoch_end`,
                leaves the state written last, as nobody knows how much of it the callback had done:
                what was trained since then is trained again, the end of that epoch told again. A
                training that is over gives its history back; with more `epochs` it goes on. Data
                must be able to go on in the middle: arrays, a `PyDataset` (with `state()` and
                `restore(state)` where it changes between epochs), a loader with `state_dict()` and
                `load_state_dict(state)`; a generator cannot. A callback of your own names in
                `remembers` what it remembers, or has `get_state` and `set_state`.
            resume_every_steps, resume_every_seconds: How often a state is written: every 30
                seconds without both. It is copied between two steps and written in a thread.

        Raises:
            NotCompiledError: `compile` was not called.
            DataError, ShapeError, LossInputError, MonitorError: Before the first step, each naming
                what is wrong and how to fix it.
            NonFiniteError: The loss, or a weight, became NaN or infinite. The model has the weights
                from before that step. A callback with `on_non_finite_loss` decides otherwise.
            KeyboardInterrupt: On Ctrl-C, whatever `verbose`, when the last whole step is in the
                model and callbacks have ended; the epochs so far are in `model.history`.
            BusyError: Another thread is training this model, or another process into this folder.
            OSError: The folder of `resume` may not be written to. Where a write fails later, that
                is warned of and tried again.
        """
        with self._training_alone("fit"):
            return fitting.fit(
                self,
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_split=validation_split,
                validation_data=validation_data,
                shuffle=shuffle,
                class_weight=class_weight,
                sample_weight=sample_weight,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps,
                validation_batch_size=validation_batch_size,
                validation_freq=validation_freq,
                fast_dev_run=fast_dev_run,
                overfit_batches=overfit_batches,
                augment=augment,
                resume=keeping(
                    resume, resume_every_steps, resume_every_seconds, f"{self._who()}.fit"
                ),
                old_keywords=kwargs,
            )

    @computing_boundary
    def lr_find(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: WholeNumber | None = None,
        *,
        sample_weight: Any = None,
        class_weight: Mapping[Any, Any] | list[Any] | None = None,
        augment: Any = None,
        min_lr: float = 1e-7,
        max_lr: float = 10.0,
        steps: WholeNumber = 100,
        smoothing: float = 0.98,
        stop_factor: float = 4.0,
    ) -> RateSearch:
        """Find a learning rate: train some steps, each at a higher rate, and look at the losses.

        However it ends, by Ctrl-C or an error too, the model's weights, statistics and seeds, its
        optimizer, metrics and history, and the generators of Python and NumPy are as before; only
        batches taken from a generator are gone, and a model that was not built is built.

        Args:
            x, y, batch_size, sample_weight, class_weight, augment: As for `fit`.
            min_lr, max_lr: The first and the last rate; those between grow by one factor. A
                schedule is left aside meanwhile. Where an optimizer holds several with rates of
                their own, these keep their ratios and the largest counts.
            steps: The number of rates; each is used for one update.
            smoothing: Share of the past in the running average of the losses.
            stop_factor: It ends when the average is so many times the lowest so far (for losses
                near or below 0: above it by as many times of what it fell), or not finite.

        Raises:
            NotCompiledError: `compile` was not called.
            ArgumentError: The loss is not finite from the beginning; or an argument is wrong.
        Source:
            Smith 2017, "Cyclical learning rates for training neural networks", arXiv:1506.01186,
            section 3.3; the debiased average and the stop are fastai's. Differs: suggestions are
            read off straight lines through the losses around each rate, which noise moves less.
        Example:
            >>> import nacre, numpy as np
            >>> model = nacre.Sequential([nacre.Input((2,)), nacre.layers.Dense(1)])
            >>> model.compile("sgd", "mse")
            >>> x = np.random.default_rng(0).normal(size=(64, 2))
            >>> 0.001 < model.lr_find(x, x.sum(axis=1)).suggestion < 1
            True
        """
        with self._training_alone("lr_find"):
            from nacre.training import rate_search  # seldom needed

            return rate_search.lr_find(
                self,
                x,
                y,
                batch_size=batch_size,
                sample_weight=sample_weight,
                class_weight=class_weight,
                augment=augment,
                min_lr=min_lr,
                max_lr=max_lr,
                steps=steps,
                smoothing=smoothing,
                stop_factor=stop_factor,
            )

    @computing_boundary
    def explain_nan(
        self,
        x: Any = None,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: WholeNumber = 32,
        steps: Count | None = None,
    ) -> NanReport:
        """Find where NaN or infinite numbers come from: the first layer, forward or backward.

        Steps of training run on the data as it stands, batch after batch, layer by layer and so
        slowly, until one is found; pass the data that gives them. Each goes on from the weights of
        the one before, so that a training which diverges is found too. The data itself is looked at
        first, then weights and the optimizer's state, outputs of layers, the loss, gradients, and
        the weights the optimizer makes. Nothing of the model is changed then, as after `lr_find`.

        Of a model with a `train_step` of its own the call of the model is looked into, with the
        loss of `compile` where there is one; its weights stay.

        Args:
            x, y, sample_weight: As for `fit`.
            batch_size: Samples a batch.
            steps: The most batches to look at; all by default.

        Returns:
            A report: true where something was found, with `where`, `layer`, `op` and `variable`;
            printed, it says so in words.

        Raises:
            NotCompiledError: `compile` was not called.
            ArgumentError: The model is never called itself, as a class that holds the parts of a
                GAN is not.
        Example:
            >>> import nacre, numpy as np
            >>> x = nacre.Input((2,))
            >>> h = nacre.layers.Lambda(nacre.ops.log, name="logarithm")(x)
            >>> model = nacre.Model(x, nacre.layers.Dense(1)(h))
            >>> model.compile("sgd", "mse")
            >>> found = model.explain_nan(np.array([[0.0, 1.0]]), np.ones((1, 1)))
            >>> found.where, found.layer
            ('forward', 'logarithm')
        """
        with self._training_alone("explain_nan"):
            size = whole_number(batch_size, "batch_size", f"{self._who()}.explain_nan", 32)
            most = whole_number(steps, "steps", f"{self._who()}.explain_nan")
            from nacre.training.explain_nan import explain_nan  # seldom needed

            return explain_nan(self, x, y, sample_weight, size, most)

    @contextmanager
    def _training_alone(self, method: str) -> Iterator[None]:
        """Keep other threads from training this model; this one may, from a callback say."""
        lock = self._training_lock
        if not lock.acquire(blocking=False):
            raise BusyError(
                message(
                    f"{self._who()}.{method}",
                    "one thread may train a model at a time",
                    "a second call while another thread's fit is running",
                    "Wait for it to end, or train a copy: nacre.models.clone_model(model).",
                )
            )
        flags = None if self._trainer is None else self._trainer.flags
        try:
            if flags is None:
                yield
            else:
                with flags.held(self):
                    yield
        finally:
            lock.release()

    @computing_boundary
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: WholeNumber | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: Count | None = None,
        callbacks: Callbacks = None,
        return_dict: bool = False,
        **kwargs: Unpack[OldDataKeywords],
    ) -> Any:
        """The loss and the metrics on data: a list, a dict, or one number without metrics.

        Called by a callback of a running `fit`, it leaves that training's metrics and statistics
        as they are; in Keras the epoch's metrics begin anew after it.
        """
        return evaluation.evaluate(
            self,
            x,
            y,
            batch_size=batch_size,
            verbose=verbose,
            sample_weight=sample_weight,
            steps=steps,
            callbacks=callbacks,
            return_dict=return_dict,
            **kwargs,
        )

    @computing_boundary
    def predict(
        self,
        x: Any,
        batch_size: WholeNumber | None = None,
        verbose: Any = "auto",
        steps: Count | None = None,
        callbacks: Callbacks = None,
        **kwargs: Unpack[OldDataKeywords],
    ) -> Any:
        """The outputs for data, as NumPy arrays."""
        return prediction.predict(
            self,
            x,
            batch_size=batch_size,
            verbose=verbose,
            steps=steps,
            callbacks=callbacks,
            **kwargs,
        )

    @computing_boundary
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
        reset_metrics: bool = True,
    ) -> Any:
        """One step of training on one batch; gives the loss and the metrics of the batch.

        `reset_metrics=False`, of tf.keras 2, goes on with the metrics as they are.
        """
        with self._training_alone("train_on_batch"):
            return fitting.train_on_batch(
                self, x, y, sample_weight, class_weight, return_dict, reset_metrics
            )

    @computing_boundary
    def test_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        return_dict: bool = False,
        reset_metrics: bool = True,
    ) -> Any:
        """The loss and the metrics on one batch; `reset_metrics` as for `train_on_batch`."""
        return evaluation.test_on_batch(self, x, y, sample_weight, return_dict, reset_metrics)

    @computing_boundary
    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        return prediction.predict_on_batch(self, x)

    @any_arguments
    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The number training minimises: the compiled losses and what layers added.

        Override it for a loss of your own; it is traced into the compiled step.
        """
        return self._compiled().compute_loss(self, y, y_pred, sample_weight, training=training)

    @any_arguments
    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Take a batch into the compiled metrics; gives what is reported so far."""
        self._compiled().update_metrics(self, y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """What is reported so far, by name."""
        return self._compiled().results(self)

    def reset_metrics(self) -> None:
        """Set all metrics back to their start."""
        for metric in self.metrics:
            metric.reset_state()

    def _compiled(self) -> CompiledTraining:
        if self._trainer is None:
            raise checks.not_compiled(self._who(), "fit")
        return self._trainer

    @property
    def metrics(self) -> list[Any]:
        """The loss's mean, the compiled metrics, the means of the outputs' losses, and metrics set
        as attributes: in Keras's order, each by itself (Keras has the compiled ones in one object,
        `compile_metrics`)."""
        found = [] if self._trainer is None else self._trainer.metrics()
        if attributes := self._inventory().metrics:
            known = {id(m) for m in found}
            found += [m for m in attributes if id(m) not in known]
        return found

    @property
    def metrics_names(self) -> list[str]:
        """Names of what `evaluate` reports, in order."""
        return [] if self._trainer is None else self._trainer.report_names(self)

    @property
    def run_eagerly(self) -> bool:
        """Whether steps run without compiling."""
        return self._trainer is not None and self._trainer.run_eagerly

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        if self._trainer is not None:
            self._trainer.run_eagerly = bool(value)

    @property
    def jit_compile(self) -> bool:
        """Whether steps are compiled: what `compile` was told, True for 'auto'."""
        given = "auto" if self._trainer is None else self._trainer.jit_compile
        return True if given == "auto" else bool(given)

    @jit_compile.setter
    def jit_compile(self, value: bool) -> None:
        if self._trainer is not None:
            self._trainer.jit_compile = bool(value)

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile`, as plain data."""
        if self._trainer is None:
            return None
        try:
            return compile_config(self._trainer)
        except SerializationError as error:
            warn(
                message(
                    f"{self._who()}.save",
                    "what compile() was given should have a config; the model is saved without it",
                    str(error),
                    "After loading it, call compile() again.",
                ),
            )
            return None

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` gave."""
        compile_from_config(self, config)


def _differs(loss: Any, given: Any) -> bool:
    """Whether a loss is another one than what `compile` was given; without one none is meant."""
    return given is not None and loss is not given and loss != given


def _looks_like_metrics(value: Any) -> bool:
    """Whether `loss_weights` holds names or metrics, as tf.keras 2's third argument did."""
    if value is None or isinstance(value, int | float):
        return False
    return all(  # of an empty list too: no metrics
        isinstance(v, str)
        or hasattr(v, "update_state")
        or (callable(v) and not is_weight_function(v))
        for v in tree.flatten(value)
    )
