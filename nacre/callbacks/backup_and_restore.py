"""Keep a training on disk while it runs, so that a crash costs no more than an epoch."""

from __future__ import annotations

import os
from typing import Any, TypedDict, Unpack

from nacre.callbacks.base import Callback
from nacre.callbacks.keeping import Keeping
from nacre.core.errors import ArgumentError, message, refuse_unknown
from nacre.core.numbers import whole_number


class BackupAndRestoreKeywords(TypedDict, total=False):
    """What tf.keras 2 took."""

    save_before_preemption: bool


class BackupAndRestore(Callback):
    """Lets a training that was interrupted go on when the script is run again.

    What is kept, and how, is what `fit(resume=folder)` keeps: the training that goes on ends with
    the same bits as one never interrupted, in the middle of an epoch too, and its history begins
    with the first epoch. (Keras keeps weights and the epoch: seeds, the order of the data, the
    history and what other callbacks remember begin anew.) Unlike there, what cannot go on exactly
    (a generator, other data or settings) is warned of instead of refused; of a generator the
    batches that were used are taken and thrown away. Automatic names may have other numbers, as
    where a notebook's cell runs again.

    When training comes to its end the backup is deleted. Other files in the folder stay.

    Args:
        backup_dir: The folder, for this training alone.
        save_freq: 'epoch', or a number of batches: how often it is kept. Ctrl-C and errors between
            two steps keep it too.
        double_checkpoint: Accepted; the newest two states are always kept, each written whole or
            not at all.
        delete_checkpoint: Whether the backup is deleted at the end.
        kwargs: Of tf.keras 2: `save_before_preemption=True` lets SIGTERM end training after the
            step under way, when it was kept; `save_freq=False` then keeps it at no other time.

    Raises:
        ArgumentError: An argument is wrong, or `fit` has two of these.
        WeightsMismatchError: The folder keeps a training of another model.
        BusyError: Another process trains into the folder.
    Example:
        >>> BackupAndRestore("runs/7", save_freq=100).save_freq
        100
    """

    adds_logs = ()
    remembers = ()
    writes = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        **kwargs: Unpack[BackupAndRestoreKeywords],
    ) -> None:
        who = type(self).__name__
        old: dict[str, Any] = dict(kwargs)
        ends_on_sigterm = bool(old.pop("save_before_preemption", False))
        refuse_unknown(who, old, BackupAndRestore)
        if not isinstance(backup_dir, str | os.PathLike) or not os.fspath(backup_dir):
            rule = "backup_dir must be the path of a folder"
            raise ArgumentError(message(who, rule, repr(backup_dir)[:100]))
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        every_epoch = isinstance(save_freq, str) and save_freq == "epoch"
        is_seldom = save_freq is False and ends_on_sigterm
        steps = None
        if not every_epoch and not is_seldom:
            fix = "Pass save_freq='epoch'."
            steps = whole_number(
                who, "save_freq", save_freq, or_else=" (batches) or 'epoch'", fix=fix
            )
        self.keeping = Keeping(
            self.backup_dir,
            every_steps=steps,
            every_seconds=float("inf") if is_seldom else None,
            every_epoch=every_epoch,
            is_exact=False,
            is_deleted=bool(delete_checkpoint),
            ends_on_sigterm=ends_on_sigterm,
        )
