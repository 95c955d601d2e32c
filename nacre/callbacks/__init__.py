"""Callbacks: what happens at the points of training besides training.

One callback a file. They act on the model only through `core.protocols.TrainingHost`, so any object
with those methods can run them; `runner.CallbackList` calls them and keeps the progress bar.
"""

import importlib
from typing import TYPE_CHECKING

from nacre.core.not_yet import no_attribute

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

# Each is imported when it is first asked for: a training needs few of them.
_MODULES = {
    "BackupAndRestore": "backup_and_restore",
    "CSVLogger": "csv_logger",
    "Callback": "base",
    "CallbackList": "runner",
    "EarlyStopping": "early_stopping",
    "HParamsCallback": "hparams_callback",
    "History": "history",
    "LambdaCallback": "lambda_callback",
    "LearningRateScheduler": "learning_rate_scheduler",
    "ModelCheckpoint": "model_checkpoint",
    "OrbaxCheckpoint": "orbax_checkpoint",
    "ProgbarLogger": "progress",
    "ReduceLROnPlateau": "reduce_lr_on_plateau",
    "RemoteMonitor": "remote_monitor",
    "StochasticWeightAveraging": "weight_averaging",
    "SwapEMAWeights": "swap_ema_weights",
    "TensorBoard": "tensorboard",
    "TerminateOnNaN": "terminate_on_nan",
    "TrainableSchedule": "trainable_schedule",
}
__all__ = [*_MODULES]


if not TYPE_CHECKING:  # a checker would take any name for one of the module's

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            module = importlib.import_module(f"nacre.callbacks.{_MODULES[name]}")
            globals()[name] = getattr(module, name)
            return globals()[name]
        raise no_attribute("nacre.callbacks", name)


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
