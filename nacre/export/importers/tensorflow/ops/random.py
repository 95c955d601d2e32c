"""Random numbers: from nacre's generator, or from the seeds that a node is given.

The numbers are others than TensorFlow's; their distributions are the same.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.export.importers.tensorflow.registry import Node, op
from nacre.export.importers.tensorflow.run import Run
from nacre.export.importers.tensorflow.values import GraphError, dtype, integer, is_known, shape


def _kind(node: Node, name: str = "dtype") -> np.dtype[Any]:
    return np.dtype(jax.dtypes.canonicalize_dtype(dtype(node[name])))


def _draw(name: str, key: Any, sizes: Any, kind: np.dtype[Any]) -> Any:
    size = shape(sizes, kind)
    if "TruncatedNormal" in name:
        return jax.random.truncated_normal(key, -2, 2, size, kind)
    if "Normal" in name:
        return jax.random.normal(key, size, kind)
    return jax.random.uniform(key, size, kind)


def _draw_ints(key: Any, sizes: Any, low: Any, high: Any, kind: np.dtype[Any]) -> Any:
    return jax.random.randint(key, shape(sizes, kind), low, high, kind)


@op("RandomUniform", "RandomStandardNormal", "TruncatedNormal", random=True)
def _random(run: Run, node: Node, sizes: Any) -> Any:
    return _draw(node.op, run.key(), sizes, _kind(node))


@op("RandomUniformInt", random=True)
def _random_ints(run: Run, node: Node, sizes: Any, low: Any, high: Any) -> Any:
    return _draw_ints(run.key(), sizes, low, high, _kind(node, "Tout"))


@op("RandomShuffle", random=True)
def _shuffle(run: Run, node: Node, x: Any) -> Any:
    return jax.random.permutation(run.key(), jnp.asarray(x), axis=0)


@op("Multinomial", random=True)
def _multinomial(run: Run, node: Node, logits: Any, count: Any) -> Any:
    return _categorical(run.key(), logits, count, _kind(node, "output_dtype"))


def _categorical(key: Any, logits: Any, count: Any, kind: np.dtype[Any]) -> Any:
    sizes = (integer(count), logits.shape[0])
    return jax.random.categorical(key, jnp.asarray(logits), axis=-1, shape=sizes).T.astype(kind)


# --- with seeds -----------------------------------------------------------------------------------


def _key_of(*seeds: Any) -> Any:
    """A key that the numbers of a seed give, all their 64 bits."""
    found = jax.random.key(0)
    for seed in seeds:
        for word in _words(seed):
            found = jax.random.fold_in(found, word)
    return found


def _words(seed: Any) -> list[Any]:
    """Each number's lower and upper 32 bits; a narrower one is the same number of 64 bits."""
    flat = np.ravel(seed) if is_known(seed) else jnp.ravel(seed)
    bits = 8 * flat.dtype.itemsize
    if bits > 32:
        upper = flat >> 32
    else:
        upper = flat >> (bits - 1) if flat.dtype.kind == "i" else flat * 0
    pairs = zip(flat & 0xFFFFFFFF if bits > 32 else flat, upper, strict=True)
    return [jnp.asarray(part.astype("uint32")) for pair in pairs for part in pair]


@op("StatelessRandomUniform", "StatelessRandomNormal", "StatelessTruncatedNormal")
def _stateless(node: Node, sizes: Any, seed: Any) -> Any:
    return _draw(node.op, _key_of(seed), sizes, _kind(node))


@op("StatelessRandomUniformV2", "StatelessRandomNormalV2", "StatelessTruncatedNormalV2")
def _stateless_keyed(node: Node, sizes: Any, key: Any, counter: Any, algorithm: Any) -> Any:
    return _draw(node.op, _key_of(key, counter), sizes, _kind(node))


@op("StatelessRandomUniformInt")
def _stateless_ints(node: Node, sizes: Any, seed: Any, low: Any, high: Any) -> Any:
    return _draw_ints(_key_of(seed), sizes, low, high, _kind(node))


@op("StatelessRandomUniformIntV2")
def _stateless_keyed_ints(
    node: Node, sizes: Any, key: Any, counter: Any, algorithm: Any, low: Any, high: Any
) -> Any:
    return _draw_ints(_key_of(key, counter), sizes, low, high, _kind(node))


@op("StatelessRandomUniformFullInt")
def _stateless_full_ints(node: Node, sizes: Any, seed: Any) -> Any:
    return _bits(_key_of(seed), sizes, _kind(node))


@op("StatelessRandomUniformFullIntV2")
def _keyed_full_ints(node: Node, sizes: Any, key: Any, counter: Any, algorithm: Any) -> Any:
    return _bits(_key_of(key, counter), sizes, _kind(node))


def _bits(key: Any, sizes: Any, kind: np.dtype[Any]) -> Any:
    """Whole numbers, of all that the dtype has."""
    unsigned = np.dtype(f"uint{8 * kind.itemsize}")
    return jax.random.bits(key, shape(sizes, kind), unsigned).astype(kind)


@op("StatelessMultinomial")
def _stateless_multinomial(node: Node, logits: Any, count: Any, seed: Any) -> Any:
    return _categorical(_key_of(seed), logits, count, _kind(node, "output_dtype"))


@op("StatelessRandomGetKeyCounter")
def _key_counter(node: Node, seed: Any) -> Any:
    """A key and a counter: here what the seed is mixed to, as both may have 32 bits each."""
    words = jax.random.key_data(_key_of(seed)).astype(jax.dtypes.canonicalize_dtype(np.uint64))
    return words[:1], jnp.stack([words[1], jnp.zeros((), words.dtype)])


@op("StatelessRandomGetAlg", known=True)
def _algorithm(node: Node) -> Any:
    return np.asarray(1, np.int32)


@op("RngReadAndSkip", random=True)
def _read_and_skip(run: Run, node: Node, handle: Any, algorithm: Any, delta: Any) -> Any:
    """The state of a `tf.random.Generator`, which moves on."""
    state = run.read(handle)
    if np.ndim(state) != 1 or np.shape(state)[0] < 2:
        raise GraphError("a state of random numbers that is none")
    moved = jnp.asarray(state).at[0].add(jnp.asarray(256, state.dtype))
    run.assign(handle, moved)
    return state


@op("StatelessShuffle")
def _stateless_shuffle(node: Node, x: Any, key: Any, counter: Any, algorithm: Any) -> Any:
    return jax.random.permutation(_key_of(key, counter), jnp.asarray(x), axis=0)
