"""The small transformer, once for each peer: four blocks, normalized before, dropout after.

Tokens and positions are embedded and added; the mean over the steps goes to the classes.
"""

from __future__ import annotations

import math
from typing import Any

from bench import workloads

BLOCKS, WIDTH, HEADS, INNER, DROPOUT = 4, 128, 4, 512, 0.1
STEPS, VOCABULARY = 64, workloads.VOCABULARY


def in_keras(keras: Any) -> Any:
    """For nacre and Keras."""
    layers = keras.layers

    class Positions(layers.Layer):
        """Adds one learnt vector to each step."""

        def build(self, input_shape: Any) -> None:
            self.vectors = self.add_weight(
                shape=tuple(input_shape[1:]), initializer="uniform", name="vectors"
            )

        def call(self, inputs: Any) -> Any:
            return inputs + self.vectors

    def dropped(x: Any) -> Any:
        return layers.Dropout(DROPOUT)(x)

    inputs = keras.Input((STEPS,), dtype="int32")
    x = Positions()(layers.Embedding(VOCABULARY, WIDTH)(inputs))
    for _ in range(BLOCKS):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, dropped(layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(y, y))])
        y = layers.Dense(INNER, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, dropped(layers.Dense(WIDTH)(y))])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(workloads.CLASSES, activation="softmax")(x))


def in_torch(torch: Any, library: bool) -> Any:
    """For PyTorch: its own encoder layers, or written out with one product for q, k and v."""
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.heads, self.joined = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.up, self.down = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)
            self.dropout = nn.Dropout(DROPOUT)

        def forward(self, x: Any) -> Any:
            heads = self.heads(self.before(x)).view(len(x), STEPS, 3, HEADS, WIDTH // HEADS)
            query, key, value = heads.permute(2, 0, 3, 1, 4)
            y = functional.scaled_dot_product_attention(query, key, value)
            x = x + self.dropout(self.joined(y.transpose(1, 2).reshape(len(x), STEPS, WIDTH)))
            return x + self.dropout(self.down(functional.gelu(self.up(self.between(x)))))

    def block() -> Any:
        if not library:
            return Block()
        return nn.TransformerEncoderLayer(
            WIDTH, HEADS, INNER, DROPOUT, functional.gelu, batch_first=True, norm_first=True
        )

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(VOCABULARY, WIDTH)
            self.positions = nn.Parameter(torch.rand(STEPS, WIDTH) * 0.1 - 0.05)
            self.blocks = nn.Sequential(*(block() for _ in range(BLOCKS)))
            self.after, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, workloads.CLASSES)

        def forward(self, rows: Any) -> Any:
            return self.head(self.after(self.blocks(self.tokens(rows) + self.positions)).mean(1))

    return Network()


def parameters(layer: Any, generator: Any) -> dict[str, Any]:
    """For JAX; `layer(*shape)` makes a kernel and its bias."""
    import numpy as np

    def norm() -> Any:
        return np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def uniform(*shape: int) -> Any:
        return generator.uniform(-0.05, 0.05, shape).astype(np.float32)

    blocks = [
        {
            "before": norm(),
            "heads": layer(WIDTH, 3 * WIDTH),
            "joined": layer(WIDTH, WIDTH),
            "between": norm(),
            "up": layer(WIDTH, INNER),
            "down": layer(INNER, WIDTH),
        }
        for _ in range(BLOCKS)
    ]
    return {
        "tokens": uniform(VOCABULARY, WIDTH),
        "positions": uniform(STEPS, WIDTH),
        "blocks": blocks,
        "after": norm(),
        "head": layer(WIDTH, workloads.CLASSES),
    }


def in_jax(p: dict[str, Any], rows: Any) -> Any:
    """For JAX: one product for q, k and v; random bits by XLA's own generator."""
    import jax
    import jax.numpy as jnp

    def dense(x: Any, weights: Any) -> Any:
        return x @ weights[0] + weights[1]

    def norm(x: Any, weights: Any) -> Any:
        x = x - x.mean(-1, keepdims=True)
        return (
            x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-3) * weights[0]
            + weights[1]
        )

    def attention(x: Any) -> Any:
        x = x.reshape(len(rows), STEPS, 3, HEADS, WIDTH // HEADS)
        query, key, value = x[:, :, 0] / math.sqrt(WIDTH // HEADS), x[:, :, 1], x[:, :, 2]
        weights = jax.nn.softmax(jnp.einsum("btnh,bsnh->bnts", query, key))
        return jnp.einsum("bnts,bsnh->btnh", weights, value).reshape(len(rows), STEPS, WIDTH)

    # One key a batch, from its tokens: a step is a function of parameters and rows.
    seed = jax.random.fold_in(jax.random.key(0, impl="rbg"), rows.sum())
    keys = iter(jax.random.split(seed, 2 * BLOCKS))

    def dropped(x: Any) -> Any:
        kept = jax.random.bits(next(keys), x.shape) >= int(DROPOUT * 2**32)
        return jnp.where(kept, x / (1 - DROPOUT), 0)

    x = p["tokens"][rows] + p["positions"]
    for block in p["blocks"]:
        x = x + dropped(
            dense(attention(dense(norm(x, block["before"]), block["heads"])), block["joined"])
        )
        inner = jax.nn.gelu(dense(norm(x, block["between"]), block["up"]), approximate=False)
        x = x + dropped(dense(inner, block["down"]))
    return dense(norm(x, p["after"]).mean(1), p["head"])
