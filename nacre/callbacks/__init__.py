"""Callbacks: what happens at the points of training besides training.

One callback a file. They act on the model only through `core.protocols.TrainingHost`, so any object
with those methods can run them; `runner.CallbackList` calls them and keeps the progress bar.
"""

from typing import TYPE_CHECKING

from nacre.callbacks.backup_and_restore import BackupAndRestore as BackupAndRestore
from nacre.callbacks.base import Callback as Callback
from nacre.callbacks.csv_logger import CSVLogger as CSVLogger
from nacre.callbacks.early_stopping import EarlyStopping as EarlyStopping
from nacre.callbacks.history import History as History
from nacre.callbacks.hparams_callback import HParamsCallback as HParamsCallback
from nacre.callbacks.lambda_callback import LambdaCallback as LambdaCallback
from nacre.callbacks.learning_rate_scheduler import LearningRateScheduler as LearningRateScheduler
from nacre.callbacks.model_checkpoint import ModelCheckpoint as ModelCheckpoint
from nacre.callbacks.orbax_checkpoint import OrbaxCheckpoint as OrbaxCheckpoint
from nacre.callbacks.progress import ProgbarLogger as ProgbarLogger
from nacre.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau as ReduceLROnPlateau
from nacre.callbacks.remote_monitor import RemoteMonitor as RemoteMonitor
from nacre.callbacks.runner import CallbackList as CallbackList
from nacre.callbacks.swap_ema_weights import SwapEMAWeights as SwapEMAWeights
from nacre.callbacks.tensorboard import TensorBoard as TensorBoard
from nacre.callbacks.terminate_on_nan import TerminateOnNaN as TerminateOnNaN
from nacre.callbacks.trainable_schedule import TrainableSchedule as TrainableSchedule
from nacre.callbacks.weight_averaging import (
    StochasticWeightAveraging as StochasticWeightAveraging,
)
from nacre.core.not_yet import no_attribute

__all__ = [
    "BackupAndRestore",
    "Callback",
    "CallbackList",
    "CSVLogger",
    "EarlyStopping",
    "HParamsCallback",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "OrbaxCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "StochasticWeightAveraging",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
    "TrainableSchedule",
]


if not TYPE_CHECKING:  # a checker would take any name for one of the module's

    def __getattr__(name: str) -> object:
        raise no_attribute("nacre.callbacks", name)


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
