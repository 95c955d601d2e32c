"""Summaries for TensorBoard, as scripts of `tf.summary` write them; TensorFlow is not needed.

    writer = nacre.summary.create_file_writer("logs/run1")
    with writer.as_default():
        for step in range(100):
            nacre.summary.scalar("loss", loss, step=step)

Summaries are written where values are known: in loops by hand, in callbacks, in layers that run
eagerly; and in a `nacre.function` and a `train_step`, whose programs give them back. Steps of `fit`
are written by a default writer around it, `with writer.as_default(): model.fit(...)`, or by
`TensorBoard(update_freq="batch")`, every so many with a number; one that writes epochs alone takes
none, as in tf.keras, and says so. Steps that summarise something run one at a time, as with a
callback for each batch.

Within other compiled code (a layer in the built-in step of `fit`, `jax.jit`, a loop of `nacre.ops`)
a summary is refused where there is a writer for it, and else told when there is one: such code runs
later and many times, in an order of its own. Return the value, and write it outside.

The files are read by the viewer (`pip install tensorboard`, then `tensorboard --logdir logs`).
"""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names
from nacre.summary import experimental as experimental
from nacre.summary import hparams as hparams
from nacre.summary.recording import record_if as record_if
from nacre.summary.recording import should_record_summaries as should_record_summaries
from nacre.summary.values import audio as audio
from nacre.summary.values import histogram as histogram
from nacre.summary.values import image as image
from nacre.summary.values import scalar as scalar
from nacre.summary.values import text as text
from nacre.summary.values import write as write
from nacre.summary.writer import SummaryWriter as SummaryWriter
from nacre.summary.writer import create_file_writer as create_file_writer
from nacre.summary.writer import create_noop_writer as create_noop_writer
from nacre.summary.writer import flush as flush

__all__ = [
    "SummaryWriter",
    "audio",
    "create_file_writer",
    "create_noop_writer",
    "experimental",
    "flush",
    "histogram",
    "hparams",
    "image",
    "record_if",
    "scalar",
    "should_record_summaries",
    "text",
    "write",
]

if not TYPE_CHECKING:  # a checker would take any name for one of the module's
    __getattr__, __dir__ = late_names(__name__)
