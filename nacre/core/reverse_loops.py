"""A loop whose number of turns only the program knows, with a gradient.

`lax.while_loop` has none, as the states on the way are not kept: nobody knows how many there are.
Here they are computed again on the way back, from states kept at equal distances.
"""

# JAX's own insides have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax._src import core

_SLOTS = 64  # states kept on the way back; up to so many turns each is computed once more only


def while_loop(cond: Callable[[Any], Any], body: Callable[[Any], Any], init: Any) -> Any:
    """`jax.lax.while_loop`, with reverse-mode gradients.

    They cost the turns once more, and beyond 64 turns n a further n / 128 times. A body with
    effects, such as prints, has no gradients: it would have them again on the way back.

    Args:
        cond, body: Functions of the loop's state.
        init: Its first value, arrays.

    Example:
        >>> def power(x, n):
        ...     state = while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, s[1] * x), (0, x))
        ...     return state[1]
        >>> float(jax.grad(power)(2.0, 2))
        12.0
    """
    leaves, tree = jax.tree.flatten(jax.tree.map(jnp.asarray, init))

    def asked(*state: Any) -> Any:
        return cond(jax.tree.unflatten(tree, state))

    def turned(*state: Any) -> list[Any]:
        return jax.tree.leaves(body(jax.tree.unflatten(tree, state)))

    holds, turn = jax.make_jaxpr(asked)(*leaves), jax.make_jaxpr(turned)(*leaves)
    before = [(x.shape, x.dtype) for x in leaves]
    after = [(x.shape, x.dtype) for x in turn.out_avals]
    if before != after:
        return jax.lax.while_loop(cond, body, init)  # which refuses what does not fit
    if holds.effects or turn.effects:
        end = jax.lax.while_loop(
            lambda s: core.eval_jaxpr(holds.jaxpr, holds.consts, *s)[0],
            lambda s: core.eval_jaxpr(turn.jaxpr, turn.consts, *s),
            leaves,
        )
        return jax.tree.unflatten(tree, end)
    loop = _loop(holds.jaxpr, turn.jaxpr)
    return jax.tree.unflatten(tree, loop(list(holds.consts), list(turn.consts), leaves))


def _loop(holds: Any, turn: Any) -> Callable[..., list[Any]]:
    """The loop as a function of all that its condition, its body and its state hold."""

    def step(consts: Sequence[Any], state: Sequence[Any]) -> list[Any]:
        return core.eval_jaxpr(turn, consts, *state)

    @jax.custom_vjp
    def run(asked: list[Any], consts: list[Any], state: list[Any]) -> list[Any]:
        return jax.lax.while_loop(
            lambda s: core.eval_jaxpr(holds, asked, *s)[0], lambda s: step(consts, s), state
        )

    def forward(asked: list[Any], consts: list[Any], state: list[Any]) -> Any:
        count, end = while_loop(  # as the gradient may be asked for a gradient of its own
            lambda s: core.eval_jaxpr(holds, asked, *s[1])[0],
            lambda s: (s[0] + 1, step(consts, s[1])),
            (jnp.int32(0), state),
        )
        return end, (count, asked, consts, state)

    def backward(kept: Any, gradients: list[Any]) -> Any:
        count, asked, consts, state = kept
        found = _backwards(step, count, consts, state, gradients)
        return [None] * len(asked), *found

    run.defvjp(forward, backward)
    return run


def _backwards(
    step: Callable[..., list[Any]],
    count: Any,
    consts: list[Any],
    start: list[Any],
    gradients: list[Any],
) -> tuple[list[Any], list[Any]]:
    """Gradients of what the body holds and of the first state, None for those of whole numbers."""
    stride = jnp.maximum(1, -(-count // _SLOTS))

    def keep(at: Any, carry: Any) -> Any:
        slots, state = carry
        is_kept = at % stride == 0
        place = jnp.where(is_kept, at // stride, _SLOTS)  # else nowhere
        slots = [s.at[place].set(x, mode="drop") for s, x in zip(slots, state, strict=True)]
        return slots, step(consts, state)

    empty = [jnp.zeros((_SLOTS, *x.shape), x.dtype) for x in start]
    slots, _ = _times(0, count, keep, (empty, start))
    floats, of_consts = _inexact(start), _inexact(consts)

    def back(carry: Any) -> Any:
        at, given, sums = carry
        slot = at // stride
        state = [s[slot] for s in slots]
        state = _times(slot * stride, at, lambda _, s: step(consts, s), state)

        def pure(values: list[Any], held: list[Any]) -> list[Any]:
            end = step(_with(consts, of_consts, held), _with(state, floats, values))
            return [end[i] for i in floats]

        values, held = [state[i] for i in floats], [consts[i] for i in of_consts]
        _, pullback = jax.vjp(pure, values, held)
        new, more = pullback(given)
        return at - 1, new, [a + b for a, b in zip(sums, more, strict=True)]

    begin = [gradients[i] for i in floats]
    zeros = [jnp.zeros_like(consts[i]) for i in of_consts]
    _, given, sums = while_loop(lambda c: c[0] >= 0, back, (count - 1, begin, zeros))
    nothing: list[Any] = [None] * len(consts), [None] * len(start)  # type: ignore[assignment]
    return _with(nothing[0], of_consts, sums), _with(nothing[1], floats, given)


def _times(first: Any, end: Any, body: Callable[[Any, Any], Any], init: Any) -> Any:
    begin = (jnp.asarray(first, jnp.int32), init)
    return while_loop(lambda s: s[0] < end, lambda s: (s[0] + 1, body(*s)), begin)[1]


def _inexact(values: list[Any]) -> list[int]:
    return [i for i, x in enumerate(values) if jnp.issubdtype(jnp.result_type(x), jnp.inexact)]


def _with(values: list[Any], places: list[int], new: list[Any]) -> list[Any]:
    changed = list(values)
    for place, value in zip(places, new, strict=True):
        changed[place] = value
    return changed


__all__ = ["while_loop"]
