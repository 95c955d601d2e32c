"""What the layers of a decoder share while tokens are generated one by one.

Inside `decoding(state)` causal self-attention keeps its keys and values, and positions count from
`state.index`. The first call gets the whole buffer and fills the cache; every later call gets one
token a sequence and extends the cache. Outside, layers do not know of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax.numpy as jnp
from jax import lax

from nacre.core.context import changed, current


class CachedAttention(NamedTuple):
    """The cached keys and values of one attention layer.

    Shapes:
        key, value (batch, sources, heads, head_dim)
        mask       (batch, sources) bool, or None
    """

    key: Any
    value: Any
    mask: Any


class DecodingState:
    """Position and cache of one call of a model.

    Args:
        index: Position of the first token of this call.
        cache: Keys and values of the calls before, None in the first.
        constants: What the first call computed for all calls.
        length: Size of the buffer of tokens.
    """

    def __init__(
        self,
        index: Any = 0,
        cache: list[CachedAttention] | None = None,
        constants: list[Any] | None = None,
        length: int | None = None,
    ) -> None:
        self.index = index
        self.cache = cache
        self.length = length
        self.new_cache: list[CachedAttention] = []
        self.constants: list[Any] = [] if constants is None else constants
        self._num_constants_used = 0

    @property
    def is_recording(self) -> bool:
        """Whether this is the call over the whole buffer."""
        return self.cache is None

    def extend_cache(self, key: Any, value: Any, mask: Any) -> CachedAttention:
        """All keys and values so far, with these; layers call it in the order of the model."""
        entry = CachedAttention(key, value, None if mask is None else jnp.asarray(mask, bool))
        if self.cache is not None:
            old = self.cache[len(self.new_cache)]
            entry = CachedAttention(
                *(
                    None if before is None else self._insert(before, now)
                    for before, now in zip(old, entry, strict=True)
                )
            )
        self.new_cache.append(entry)
        return entry

    def computed_once(self, compute: Callable[[], Any]) -> Any:
        """The result of `compute` in the first call; called in the order of the model."""
        if self.is_recording:
            self.constants.append(compute())
        self._num_constants_used += 1
        return self.constants[self._num_constants_used - 1]

    def _insert(self, before: Any, now: Any) -> Any:
        return lax.dynamic_update_slice_in_dim(before, now.astype(before.dtype), self.index, 1)

    def causal_mask(self, targets: int, sources: int) -> Any:
        """(1, targets, sources), True where a source is not later than its target."""
        rows = self.index + jnp.arange(targets)[:, None]
        return (jnp.arange(sources)[None, :] <= rows)[None]


def decoding_state() -> DecodingState | None:
    """The state in force, or None."""
    return cast("DecodingState | None", current().decoding)  # `decoding` alone sets it


def first_position(start_index: Any) -> Any:
    """Where positions begin in this call."""
    state = decoding_state()
    return start_index if state is None or state.is_recording else start_index + state.index


def decoding(state: DecodingState) -> changed:
    """Make `state` the one in force."""
    return changed(decoding=state)
