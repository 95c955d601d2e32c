"""Write what the viewer TensorBoard shows of a training; TensorFlow is not needed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from nacre.callbacks.base import TRAIN_BATCH_HOOKS, Callback, Logs
from nacre.callbacks.hparams_callback import Session
from nacre.callbacks.run_plan import RunPlan
from nacre.callbacks.tensorboard_graph import graph_config, graph_def
from nacre.callbacks.tensorboard_profile import Profile, profiled_batches
from nacre.callbacks.tensorboard_projector import Projector
from nacre.callbacks.tensorboard_weights import picture
from nacre.core.errors import SerializationError, message, refuse_unknown
from nacre.core.names import free_name
from nacre.core.numbers import whole_number
from nacre.core.origins import passed_users_code
from nacre.core.warning import warn
from nacre.summary.event_file import EventFile
from nacre.summary.hparams import checked
from nacre.summary.messages import metadata, strings, summary_value
from nacre.summary.recording import SharedWriter, recording
from nacre.summary.values import histogram_tensor, image_tensor, scalar_tensor
from nacre.summary.writer import FileWriter, local_folder

if TYPE_CHECKING:
    from typing_extensions import Unpack

_WHO = "TensorBoard"
_SCALARS, _HISTOGRAMS, _IMAGES = (metadata(name) for name in ("scalars", "histograms", "images"))
# tensorboard/plugins/graph/metadata.py: the plugin of models' configs, and its version.
_GRAPH = metadata("graph_keras_model", b"1")


class OldKeywords(TypedDict, total=False):
    """What tf.keras 1 took, and 2 already left out."""

    write_grads: bool
    batch_size: int
    embeddings_layer_names: Any
    embeddings_data: Any


@dataclass
class _Run:
    """What belongs to a training, or an evaluation, that is under way.

    Attributes:
        is_training: Whether it is a training.
        writers: By the folder below the run's.
        shared: Those of them that other callbacks write to as well.
        profile, projector, session: Where they were asked for.
    """

    is_training: bool = False
    writers: dict[str, FileWriter] = field(default_factory=dict[str, FileWriter])
    shared: dict[str, SharedWriter] = field(default_factory=dict[str, SharedWriter])
    profile: Profile | None = None
    projector: Projector | None = None
    session: Session | None = None


class TensorBoard(Callback):
    """Writes event files that TensorBoard shows: `tensorboard --logdir logs`.

    Training goes to the folder `train`, validation to `validation`, below `log_dir`: the charts
    `epoch_loss`, `epoch_<metric>`, `epoch_learning_rate` over the epochs (from 0), and
    `evaluation_<name>_vs_iterations` over the optimizer's steps. Files are complete on disk when an
    epoch ends, and when training ends, however it ends. Each training adds a file.

    While it trains, `nacre.summary.scalar(...)` and its like write to these folders too, where they
    are called in other callbacks without a writer of their own: with the batch as their step, or
    with the epoch where `update_freq` is "epoch". Where it is not, they do in a `train_step` too,
    as often as batches are written.

    Args:
        log_dir: The run's folder. The viewer compares runs that lie in one folder: give each a name
            of its own.
        histogram_freq: Every how many epochs the weights are written as histograms; 0 for never.
        write_graph: Whether the graph of layers is written.
        write_images: Whether weights are written as pictures, with their histograms.
        write_steps_per_second: Whether the pace is written.
        update_freq: "epoch"; or "batch", or a number of batches, to write the logs of batches too,
            as `batch_loss`. The loop then goes one batch at a time, as for every callback that is
            called in each; with "epoch" it costs nothing a step.
        profile_batch: A batch, or the first and the last one, counted from 1, whose computations
            are profiled by JAX; 0 for none. The viewer shows it with its plugin for profiles; the
            loop goes one batch at a time.
        embeddings_freq: Every how many epochs the tables of Embedding layers are written for the
            projector; 0 for never. They are written at the end, too.
        embeddings_metadata: Path, relative to `log_dir`, of a file with a label a row of the
            tables; or a dict of such paths by the layer's name.
        hparams: Hyper-parameters of the run by name, for the page that compares runs.
        kwargs: What tf.keras 1 took (`write_grads`, `batch_size`, `embeddings_layer_names`,
            `embeddings_data`) has no effect, and is told.

    Raises:
        ArgumentError: An argument is none of the above.
        OSError: `log_dir` may not be written to, or the disk is full: before the first step, or
            when an epoch ends. The model then has what it learnt.
    Source:
        Keras 3.15, the same names, tags and steps. Differs: with a number as `update_freq` the
        charts of epochs are written all the same, where Keras leaves out those of epochs that
        do not end with such a batch; with `steps_per_execution` batches are counted, not their
        groups; embeddings are written as text, which the viewer reads without TensorFlow; pictures
        are scaled to show all values. As in Keras, batches are counted anew in each training, but
        for one that is resumed.
    Example:
        >>> TensorBoard("logs/run1", histogram_freq=1).histogram_freq
        1
    """

    adds_logs = ()
    writes = True
    remembers = ("_step",)

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: int | str = "epoch",
        profile_batch: int | str | tuple[int, int] | list[int] = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: str | Mapping[str, str] | None = None,
        *,
        hparams: Mapping[Any, Any] | None = None,
        **kwargs: Unpack[OldKeywords],
    ) -> None:
        unknown = {k: v for k, v in kwargs.items() if k not in OldKeywords.__annotations__}
        refuse_unknown(_WHO, unknown, TensorBoard)
        if kwargs:
            rule = "arguments of tf.keras 1 have no effect"
            warn(message(_WHO, rule, ", ".join(kwargs), "Leave them out."))
        self.log_dir = local_folder(_WHO, "log_dir", log_dir)
        self.histogram_freq = _every("histogram_freq", histogram_freq)
        self.write_graph, self.write_images = bool(write_graph), bool(write_images)
        self.write_steps_per_second = bool(write_steps_per_second)
        self.update_freq = _update_freq(update_freq)
        self.profile_batch = profile_batch
        self._profiled = profiled_batches(profile_batch)
        self.embeddings_freq = _every("embeddings_freq", embeddings_freq)
        self.embeddings_metadata = embeddings_metadata
        self.hparams = None if hparams is None else checked(_WHO, hparams)
        self._step = 0  # batches of this training
        self._epoch, self._first_batch, self._at_once = 0, 0, 1
        self._batch_began, self._epoch_began, self._updates_before = 0.0, 0.0, 0
        self._left_out: set[str] = set()  # logs that are no numbers, of which was warned
        self._run = _Run()

    def __getstate__(self) -> dict[str, Any]:
        """All but what belongs to a training that is under way: files of this process."""
        return {**vars(self), "_run": _Run()}

    def batch_hooks(self) -> set[str]:
        """The batch hooks it needs: none where only epochs are written."""
        hooks = super().batch_hooks()
        if self.update_freq == "epoch" and self._profiled is None:
            own = vars(TensorBoard)
            hooks -= {h for h in TRAIN_BATCH_HOOKS if getattr(type(self), h) is own.get(h)}
        return hooks

    def check_run(self, plan: RunPlan) -> None:
        if self.write_images and not self.histogram_freq:
            rule = "pictures of weights are written with their histograms"
            warn(message(_WHO, rule, "write_images=True alone", "Pass histogram_freq=1."))
        if self.embeddings_metadata is not None and not self.embeddings_freq:
            rule = "labels are for embeddings, which are not written"
            warn(message(_WHO, rule, "embeddings_metadata alone", "Pass embeddings_freq=1."))
        batches = (plan.steps or 0) * (plan.epochs - plan.first_epoch)
        if self._profiled is not None and 0 < batches < self._profiled[0]:
            rule = "profile_batch must be a batch of this training, or nothing is profiled"
            warn(message(_WHO, rule, f"{self.profile_batch!r}, {batches} batches in all"))

    # ------------------------------------------------------------ a training

    def on_train_begin(self, logs: Logs = None) -> None:
        self._epoch = 0
        if not self.is_restored:
            self._step = 0
        self._end_training()  # of a run that had no end
        self._run.is_training = True
        try:
            self._begin_training()
        except BaseException:
            self._end_training()
            raise

    def _begin_training(self) -> None:
        writer = self._writer("train")
        if self.write_graph:
            self._write_graph(writer)
        if self.embeddings_freq:
            folder = Path(self.log_dir)
            self._run.projector = Projector(folder, self.model, self.embeddings_metadata)
            self._run.projector.write_config()
            self._writer("")  # the viewer looks for that in folders with event files
        if self._profiled is not None:
            self._run.profile = Profile(str(Path(self.log_dir, "train")), self._profiled)
        if self.hparams is not None:
            self._run.session = Session(self._writer(""), self.hparams)
        writer.flush()
        self._share("train")

    def on_train_end(self, logs: Logs = None) -> None:
        try:
            if self._run.projector is not None:
                self._run.projector.write_tables()
        finally:
            self._end_training()

    def _end_training(self) -> None:
        """Undo and close all, whatever of it fails."""
        run, self._run = self._run, _Run()
        with ExitStack() as ends:
            for writer in run.writers.values():
                ends.callback(writer.close)
            if run.session is not None:
                ends.callback(run.session.end)
            if run.profile is not None:
                ends.callback(run.profile.stop)
            for shared in run.shared.values():
                shared.end()

    def _writer(self, name: str) -> FileWriter:
        """The writer of a folder below the run's, which gets its file when it is first needed."""
        writers = self._run.writers
        if name not in writers:
            folder = str(Path(self.log_dir, name))
            writers[name] = FileWriter(EventFile(folder, _WHO, ".v2"))
        return writers[name]

    # ------------------------------------------------------------ where callbacks write

    def _share(self, name: str) -> None:
        """Let other callbacks write beside this one.

        Where only epochs are written, a writer that the user has made the default stays it.
        """
        writer, now = self._writer(name), recording()
        is_users = now.writer is not None and now.shared is None
        if not (self.update_freq == "epoch" and is_users):
            self._stop_sharing(name)
            self._run.shared[name] = SharedWriter(writer, self._step_now, self._every)

    def _stop_sharing(self, name: str) -> None:
        shared = self._run.shared.pop(name, None)
        if shared is not None:
            shared.end()

    @property
    def _every(self) -> int | None:
        """Every how many batches something is written; None where only epochs are."""
        if self.update_freq == "epoch":
            return None
        return 1 if self.update_freq == "batch" else int(self.update_freq)

    def _step_now(self) -> int:
        return self._epoch if self.update_freq == "epoch" else self._step

    # ------------------------------------------------------------ batches

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._batch_began, self._first_batch = time.perf_counter(), batch
        if self._run.profile is not None:
            self._run.profile.begin_batch(self._step + 1, self._at_once)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        # Several batches may have run together.
        self._at_once = max(batch - self._first_batch, 0) + 1
        self._first_batch = batch + 1
        before, self._step = self._step, self._step + self._at_once
        if self._run.profile is not None:
            self._run.profile.end_batch(self._step)
        every = self._every
        if every is not None and self._step // every > before // every:
            values = dict(logs or {})
            if self.write_steps_per_second:
                seconds = max(time.perf_counter() - self._batch_began, 1e-9)
                values["steps_per_second"] = self._at_once / seconds
            self._write_scalars("train", "batch_{}", values, self._step)

    # ------------------------------------------------------------ epochs

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch, self._first_batch, self._at_once = epoch, 0, 1
        self._epoch_began, self._updates_before = time.perf_counter(), self._updates()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        logs = logs or {}
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        held_out = {k.removeprefix("val_"): v for k, v in logs.items() if k.startswith("val_")}
        rate = self._of_optimizer("learning_rate")
        if rate is not None:
            train["learning_rate"] = rate
        if self.write_steps_per_second:
            seconds = max(time.perf_counter() - self._epoch_began, 1e-9)
            train["steps_per_second"] = self._steps_of_epoch() / seconds
        self._write_scalars("train", "epoch_{}", train, epoch)
        if held_out:
            self._write_scalars("validation", "epoch_{}", held_out, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self._run.projector is not None and epoch % self.embeddings_freq == 0:
            self._run.projector.write_tables()
        for writer in self._run.writers.values():
            writer.flush()

    def _steps_of_epoch(self) -> int:
        steps = (self.params or {}).get("steps")
        return self._first_batch or steps or self._updates() - self._updates_before

    def _updates(self) -> int:
        """The optimizer's steps."""
        iterations = self._of_optimizer("iterations")
        return self._step if iterations is None else int(iterations)

    def _of_optimizer(self, name: str) -> Any:
        """What the optimizer has under a name; None where there is none, as in loops by hand."""
        return getattr(getattr(self.model, "optimizer", None), name, None)

    # ------------------------------------------------------------ evaluation

    def on_test_begin(self, logs: Logs = None) -> None:
        self._share("validation")

    def on_test_end(self, logs: Logs = None) -> None:
        tag = "evaluation_{}_vs_iterations"
        self._write_scalars("validation", tag, logs or {}, self._updates())
        self._stop_sharing("validation")
        if not self._run.is_training:  # closed when this object is, or when the process ends
            self._writer("validation").flush()

    # ------------------------------------------------------------ what is written

    def _write_scalars(self, folder: str, tag: str, values: Mapping[str, Any], step: int) -> None:
        for name, value in values.items():
            array = np.asarray(value)
            if array.ndim or (array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16"):
                self._warn_once(name, value)
                continue
            tensor = scalar_tensor(_WHO, array)
            self._writer(folder).add(step, summary_value(tag.format(name), tensor, _SCALARS))

    def _warn_once(self, name: str, value: Any) -> None:
        if name not in self._left_out:
            self._left_out.add(name)
            rule = "charts are of numbers; what else is in the logs is left out"
            warn(message(_WHO, rule, f"{name}={repr(value)[:60]}"))

    def _write_graph(self, writer: FileWriter) -> None:
        try:
            config = graph_config(self.model)
        except Exception as error:
            if not isinstance(error, SerializationError) and not passed_users_code(error):
                raise
            rule = "the graph of the model is left out, as it has no config"
            fix = "Pass write_graph=False, or give its layers a get_config."
            warn(message(_WHO, rule, str(error) or repr(error), fix))
            return
        if config is not None:
            text = json.dumps(config).encode("utf-8", "replace")
            writer.add(0, summary_value("keras", strings([text], ()), _GRAPH))
            writer.add_graph(graph_def(config))

    def _write_weights(self, epoch: int) -> None:
        writer = self._writer("train")
        paths: set[str] = set()  # parts of two models within may be called the same
        for weight in getattr(self.model, "weights", ()):
            values = np.asarray(weight)
            if values.dtype.kind in "OUS":  # of layers that work with strings
                continue
            path = free_name(weight.path, paths)
            paths.add(path)
            counts = histogram_tensor(f"{_WHO}: {path}", values)
            writer.add(epoch, summary_value(f"{path}/histogram", counts, _HISTOGRAMS))
            pictures = picture(values) if self.write_images else None
            if pictures is not None:
                shown = image_tensor(_WHO, pictures)
                writer.add(epoch, summary_value(f"{path}/image", shown, _IMAGES))


def _every(name: str, value: Any) -> int:
    """Every how many epochs; True stands for 1, as in Python, and None for 0."""
    return whole_number(_WHO, name, 1 if value is True else value or 0, 0)


def _update_freq(value: Any) -> int | str:
    if isinstance(value, str) and value in ("epoch", "batch"):
        return value
    return whole_number(_WHO, "update_freq", value, or_else=" (batches), 'epoch' or 'batch'")


__all__ = ["TensorBoard"]
