"""Decoding what a CTC model says: the best class at each time, or a beam search."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array, floating
from nacre.ops._define import Family

op = Family("nn")


@op(class_name="CTCDecode", masks=masks.READS_SEQUENCES)
def ctc_decode(
    inputs: Tensor,
    sequence_lengths: Tensor,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[jax.Array, jax.Array]:
    """The most likely label sequences.

    Args:
        inputs: Logits.
        strategy: 'greedy' takes the best class at each time; 'beam_search' adds up alignments of
            the same labels and keeps the `beam_width` best beginnings.
        top_paths: How many sequences 'beam_search' gives.
        merge_repeated: 'greedy' joins equal labels with no blank between.
        mask_index: The class that stands for "nothing here" (blank).

    Shapes:
        inputs            (batch, time, classes)
        sequence_lengths  (batch,)
        returns           labels (paths, batch, time), -1 after the end;
                          scores (batch, paths): minus the sum of the best logits for 'greedy', log
                          probabilities for 'beam_search'
    """
    logits = floating(inputs)
    lengths = array(sequence_lengths).astype("int32")
    if strategy == "greedy":
        return _greedy(logits, lengths, merge_repeated, mask_index % logits.shape[-1])
    if strategy == "beam_search":
        search = lambda x, n: _beam_search(
            x, n, beam_width, top_paths, mask_index % logits.shape[-1]
        )
        labels, scores = jax.vmap(search)(jax.nn.log_softmax(logits), lengths)
        return jnp.moveaxis(labels, 1, 0), scores
    raise ArgumentError(
        message("ctc_decode", "strategy must be 'greedy' or 'beam_search'", repr(strategy))
    )


def _packed(labels: jax.Array, keep: jax.Array) -> jax.Array:
    """Labels to keep moved to the front in order, -1 behind them."""
    labels = jnp.where(keep, labels, -1)
    order = jnp.argsort(jnp.logical_not(keep), axis=-1, stable=True)
    return jnp.take_along_axis(labels, order, axis=-1)


def _greedy(
    logits: jax.Array, lengths: jax.Array, merge_repeated: bool, blank: int
) -> tuple[jax.Array, jax.Array]:
    best = jnp.argmax(logits, axis=-1).astype("int32")  # (batch, time)
    valid = jnp.arange(best.shape[1]) < lengths[:, None]
    keep = valid & (best != blank)
    if merge_repeated:
        same = jnp.pad(best[:, 1:] == best[:, :-1], ((0, 0), (1, 0)))
        keep = keep & ~same
    scores = -jnp.sum(jnp.where(valid, jnp.max(logits, axis=-1), 0), axis=1, keepdims=True)
    return _packed(best, keep)[None], scores


class _Beams(NamedTuple):
    """The beginnings kept, best first: (width, ...)."""

    labels: jax.Array  # (width, time)
    length: jax.Array
    last: jax.Array
    code: jax.Array  # two hashes of the labels (width, 2)
    parent: jax.Array  # the hashes without the last label
    blank: jax.Array  # log probability of alignments that end with a blank
    label: jax.Array  # and of those that end with the last label


_PRIMES = (1_000_003, 69_069)


def _extended(code: jax.Array, label: jax.Array) -> jax.Array:
    """The hashes after one more label."""
    primes = jnp.array(_PRIMES, "uint32")
    return code * primes + label.astype("uint32")[..., None] + jnp.uint32(1)


def _beam_search(
    log_p: jax.Array, length: jax.Array, width: int, top_paths: int, blank: int
) -> tuple[jax.Array, jax.Array]:
    """Prefix beam search over one sequence (time, classes).

    Source:
        Graves 2012, "Supervised Sequence Labelling", section 7.5.3, in logarithms.
    """
    times = log_p.shape[0]
    low = jnp.asarray(-jnp.inf, log_p.dtype)
    none = jnp.full(width, low)
    start = _Beams(
        labels=jnp.full((width, times), -1, "int32"),
        length=jnp.zeros(width, "int32"),
        last=jnp.full(width, -1, "int32"),
        code=jnp.zeros((width, 2), "uint32"),
        parent=jnp.full((width, 2), 0xFFFFFFFF, "uint32"),
        blank=none.at[0].set(0.0),
        label=none,
    )

    def step(beams: _Beams, frame: Any) -> tuple[_Beams, None]:
        time, scores = frame
        new = _one_step(beams, scores, width, blank)
        choose = lambda a, b: jnp.where(time < length, a, b)
        return jax.tree.map(choose, new, beams), None

    beams, _ = jax.lax.scan(step, start, (jnp.arange(times), log_p))
    totals = jnp.logaddexp(beams.blank, beams.label)
    best, order = jax.lax.top_k(totals, top_paths)
    return beams.labels[order], best


def _one_step(beams: _Beams, scores: jax.Array, width: int, blank: int) -> _Beams:
    classes = scores.shape[0]
    low = jnp.asarray(-jnp.inf, scores.dtype)
    total = jnp.logaddexp(beams.blank, beams.label)
    # Beginnings that stay as they are: a blank, or the last label again.
    has_last = beams.last >= 0
    last = jnp.maximum(beams.last, 0)
    stay_blank = total + scores[blank]
    stay_label = jnp.where(has_last, beams.label + scores[last], low)
    # Beginnings with one more label; the same label again needs a blank between.
    every = jnp.arange(classes)
    repeats = every[None, :] == beams.last[:, None]
    grown = jnp.where(repeats, beams.blank[:, None], total[:, None]) + scores[None, :]
    grown = jnp.where((every == blank)[None, :], low, grown)  # (width, classes)
    # A grown beginning may be one that is kept already: add it there.
    alive = total > low
    is_parent = jnp.all(beams.code[:, None, :] == beams.parent[None, :, :], axis=-1)
    is_parent &= (beams.length[:, None] + 1 == beams.length[None, :]) & alive[None, :]
    is_parent &= alive[:, None]  # (parents, children)
    joined = jnp.where(is_parent, grown[:, last], low)
    stay_label = jnp.logaddexp(stay_label, jax.nn.logsumexp(joined, axis=0))
    taken = jnp.zeros(grown.shape, bool).at[:, last].max(is_parent)
    grown = jnp.where(taken, low, grown)
    candidates = jnp.concatenate([jnp.logaddexp(stay_blank, stay_label), grown.ravel()])
    _, chosen = jax.lax.top_k(candidates, width)
    stays = chosen < width
    source = jnp.where(stays, chosen, (chosen - width) // classes)
    label = ((chosen - width) % classes).astype("int32")
    old = jax.tree.map(lambda leaf: leaf[source], beams)
    place = jnp.arange(old.labels.shape[1])[None, :] == old.length[:, None]
    return _Beams(
        labels=jnp.where(place & ~stays[:, None], label[:, None], old.labels),
        length=old.length + jnp.where(stays, 0, 1).astype("int32"),
        last=jnp.where(stays, old.last, label),
        code=jnp.where(stays[:, None], old.code, _extended(old.code, label)),
        parent=jnp.where(stays[:, None], old.parent, old.code),
        blank=jnp.where(stays, stay_blank[source], low),
        label=jnp.where(stays, stay_label[source], candidates[chosen]),
    )


__all__, __dir__ = op.shown()
