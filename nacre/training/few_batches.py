"""The first batches of a source: for trials, overfitting on purpose, and limits of the process."""

from __future__ import annotations

import itertools
import math
from typing import Any

from nacre.core import config
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import as_number, whole_number
from nacre.core.warning import warn
from nacre.data.batch_source import BatchSource
from nacre.data.sources import ArraySource
from nacre.training.arguments import is_truth


def trial_batches(value: Any, who: str) -> int:
    """`fast_dev_run` as a number of batches; 0 where it is not asked for."""
    if value is None or is_truth(value):
        return int(bool(value))
    return whole_number(who, "fast_dev_run", value, 0)


def overfit_share(value: Any, who: str) -> int | float:
    """`overfit_batches` as a number of batches, or as a share of them between 0 and 1."""
    if value is None or value is False:
        return 0
    share = as_number(value)
    if 0 < share < 1:
        return share
    if is_truth(value):
        rule = "overfit_batches must be a number of batches, or a share of them below 1"
        raise ArgumentError(message(who, rule, repr(value)[:100], "Pass overfit_batches=4."))
    return whole_number(who, "overfit_batches", value, 0)


def limited_epochs(epochs: int, who: str) -> int:
    """The epochs, or as many as `config.set_max_epochs` allows, which is told."""
    limit = config.max_epochs()
    if limit is None or epochs <= limit:
        return epochs
    warn(_limited(who, "epochs", epochs, limit))
    return limit


def limited_steps(
    steps: int | None, source: ArraySource | BatchSource, batch_size: int, who: str
) -> int | None:
    """The batches of an epoch, or what `config.set_max_steps_per_epoch` allows, which is told.

    Args:
        steps: What was asked for; None: all that there are.
        source: What they come from.
        batch_size: Samples a batch of rows.
        who: Who asks, for messages.
    """
    limit = config.max_steps_per_epoch()
    if limit is None:
        return steps
    wanted = num_batches(source, batch_size) if steps is None else steps
    if wanted is not None and wanted <= limit:
        return steps
    warn(_limited(who, "batches an epoch", "all" if wanted is None else wanted, limit))
    return limit


def _limited(who: str, what: str, wanted: object, limit: int) -> str:
    setting = "epochs" if what == "epochs" else "steps_per_epoch"
    fix = f"nacre.config.set_max_{setting}(None) lifts it."
    return message(who, f"at most {limit} {what} are allowed and done", f"{wanted} asked for", fix)


def num_batches(source: ArraySource | BatchSource, batch_size: int) -> int | None:
    """How many batches a source has; None where that is not known."""
    if isinstance(source, ArraySource):
        return -(-source.num_rows // batch_size)
    return source.num_batches


def first_batches(
    source: ArraySource | BatchSource, count: int | float, batch_size: int, who: str
) -> ArraySource | BatchSource:
    """A source of the first batches alone, in their order; it can be gone over any number of times.

    Args:
        source: Rows, which are cut, or batches, which are kept on the host.
        count: How many batches, or a share of them.
        batch_size: Samples a batch of rows.
        who: Who asks, for messages.

    Raises:
        ArgumentError: A share of a source whose number of batches is not known.
    """
    number = _number(count, num_batches(source, batch_size), who)
    if isinstance(source, ArraySource):
        return source.cut(slice(0, number * batch_size))
    kept = list(itertools.islice(source.batches(0), number))
    source.stop()
    return BatchSource(kept, source.who)


def _number(count: int | float, available: int | None, who: str) -> int:
    if isinstance(count, int):
        return count
    if available is None:
        raise ArgumentError(
            message(
                who,
                "a share of the batches needs data whose number of batches is known",
                f"overfit_batches={count} with a source without a length",
                "Pass a number of batches: overfit_batches=4.",
            )
        )
    return max(1, math.floor(count * available))


__all__ = [
    "first_batches",
    "limited_epochs",
    "limited_steps",
    "num_batches",
    "overfit_share",
    "trial_batches",
]
