"""Callbacks: what happens at the points of training besides training.

One callback a file. They act on the model only through `base.TrainingHost`, so any object with
those methods can run them; `runner.CallbackList` calls them and keeps the progress bar.
"""

from nacre.callbacks.base import Callback as Callback
from nacre.callbacks.history import History as History
from nacre.callbacks.progress import ProgbarLogger as ProgbarLogger
from nacre.callbacks.runner import CallbackList as CallbackList

__all__ = ["Callback", "CallbackList", "History", "ProgbarLogger"]
