"""Callbacks: what happens at the points of training besides training.

One callback a file. They act on the model only through `core.protocols.TrainingHost`, so any object
with those methods can run them; `runner.CallbackList` calls them and keeps the progress bar.
"""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names

if TYPE_CHECKING:
    from nacre.callbacks.backup_and_restore import BackupAndRestore as BackupAndRestore
    from nacre.callbacks.base import Callback as Callback
    from nacre.callbacks.csv_logger import CSVLogger as CSVLogger
    from nacre.callbacks.early_stopping import EarlyStopping as EarlyStopping
    from nacre.callbacks.history import History as History
    from nacre.callbacks.hparams_callback import HParamsCallback as HParamsCallback
    from nacre.callbacks.lambda_callback import LambdaCallback as LambdaCallback
    from nacre.callbacks.learning_rate_scheduler import (
        LearningRateScheduler as LearningRateScheduler,
    )
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

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
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

if not TYPE_CHECKING:  # a training needs few of them
    __getattr__, __dir__ = late_names(
        __name__,
        {
            "BackupAndRestore": "nacre.callbacks.backup_and_restore",
            "CSVLogger": "nacre.callbacks.csv_logger",
            "Callback": "nacre.callbacks.base",
            "CallbackList": "nacre.callbacks.runner",
            "EarlyStopping": "nacre.callbacks.early_stopping",
            "HParamsCallback": "nacre.callbacks.hparams_callback",
            "History": "nacre.callbacks.history",
            "LambdaCallback": "nacre.callbacks.lambda_callback",
            "LearningRateScheduler": "nacre.callbacks.learning_rate_scheduler",
            "ModelCheckpoint": "nacre.callbacks.model_checkpoint",
            "OrbaxCheckpoint": "nacre.callbacks.orbax_checkpoint",
            "ProgbarLogger": "nacre.callbacks.progress",
            "ReduceLROnPlateau": "nacre.callbacks.reduce_lr_on_plateau",
            "RemoteMonitor": "nacre.callbacks.remote_monitor",
            "StochasticWeightAveraging": "nacre.callbacks.weight_averaging",
            "SwapEMAWeights": "nacre.callbacks.swap_ema_weights",
            "TensorBoard": "nacre.callbacks.tensorboard",
            "TerminateOnNaN": "nacre.callbacks.terminate_on_nan",
            "TrainableSchedule": "nacre.callbacks.trainable_schedule",
        },
    )
