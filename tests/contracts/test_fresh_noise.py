"""Noise nobody gave a seed is fresh at each call and at each step, and repeats after a seed is set.

Every variational autoencoder holds a layer that calls `random.normal(shape)`, and often it is the
only randomness of the model: noise that is a constant of a compiled program trains something else,
without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers, ops, random
from nacre.utils import set_random_seed as random_seed

STEPS, BATCH, WIDTH = 3, 2, 16
X = np.zeros((STEPS * BATCH, 1), "float32")
Y = np.zeros((STEPS * BATCH, WIDTH), "float32")

# What each draws without a seed: WIDTH numbers of so many values that they hardly meet by chance.
DRAWS: dict[str, Callable[[], Any]] = {
    "beta": lambda: random.beta((WIDTH,), 2.0, 3.0),
    "binomial": lambda: random.binomial((WIDTH,), 1e4, 0.5),
    "categorical": lambda: random.categorical(np.zeros((1, 1000), "float32"), WIDTH),
    "dropout": lambda: ops.mean(random.dropout(np.ones((WIDTH, 64), "float32"), 0.5), axis=1),
    "gamma": lambda: random.gamma((WIDTH,), 2.0),
    "normal": lambda: random.normal((WIDTH,)),
    "randint": lambda: random.randint((WIDTH,), 0, 1000),
    "shuffle": lambda: random.shuffle(np.arange(1000.0, dtype="float32"))[:WIDTH],
    "truncated_normal": lambda: random.truncated_normal((WIDTH,)),
    "uniform": lambda: random.uniform((WIDTH,)),
}


class Noise(layers.Layer):
    """Gives and keeps what it drew: `drawn` holds the last `STEPS` draws, the last one last."""

    def __init__(self, draws: tuple[str, ...] = ("normal",)) -> None:
        super().__init__()
        self.draws = draws

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((1,), initializer="ones")
        self.drawn = self.add_weight(
            (STEPS, len(self.draws), WIDTH), initializer="zeros", trainable=False
        )

    def call(self, inputs: Any) -> Any:
        noise = ops.stack([ops.cast(ops.ravel(DRAWS[name]()), "float32") for name in self.draws])
        self.drawn.assign(ops.concatenate([self.drawn[1:], noise[None]]))
        return inputs * self.kernel + ops.reshape(noise, (1, -1))


class Subclassed(nacre.Model):
    def __init__(self) -> None:
        super().__init__()
        self.noise = Noise()

    def call(self, inputs: Any) -> Any:
        return self.noise(inputs)


class OwnStep(Subclassed):
    """Trains as a page of Keras 2 would: a `train_step` of its own."""

    def train_step(self, state: Any, data: Any) -> tuple[dict[str, Any], Any]:
        trainable, others, of_optimizer, of_metrics = state

        def loss_of(values: Any) -> tuple[Any, Any]:
            outputs, new = self.stateless_call(values, others, data[0], training=True)
            return ops.mean(ops.square(outputs)), new

        (loss, others), slopes = jax.value_and_grad(loss_of, has_aux=True)(trainable)
        trainable, of_optimizer = self.optimizer.stateless_apply(of_optimizer, slopes, trainable)
        return {"loss": loss}, (trainable, others, of_optimizer, of_metrics)


def flat() -> nacre.Model:
    model = nacre.Sequential([nacre.Input((1,)), Noise()])
    model.noise = model.layers[0]
    return model


def nested() -> nacre.Model:
    inner = flat()
    x = nacre.Input((1,))
    model = nacre.Model(x, layers.Activation("linear")(inner(x)))
    model.noise = inner.noise
    return model


MODELS: dict[str, Callable[[], nacre.Model]] = {
    "a layer": flat,
    "a nested model": nested,
    "a subclassed model": Subclassed,
    "its own train_step": OwnStep,
}


def ready(make: Callable[..., nacre.Model]) -> nacre.Model:
    model = make()
    model.compile("sgd", "mse")
    model.build((None, 1))
    return model


# --- each way to run a model ----------------------------------------------------------------------


def outputs(*results: Any) -> np.ndarray:
    """The noise of the first sample of every batch: (batches, draws, WIDTH)."""
    rows = np.concatenate([np.asarray(result)[::BATCH] for result in results])
    return rows.reshape(len(rows), -1, WIDTH)


def kept(model: nacre.Model, *_: Any) -> np.ndarray:
    """What the layer drew in the last `STEPS` calls."""
    return np.array(model.noise.drawn.value)


X1, Y1 = X[:BATCH], Y[:BATCH]
QUIET = {"batch_size": BATCH, "verbose": 0}
# Each gives the noise of `STEPS` calls or steps, in their order.
WAYS: dict[str, Callable[[nacre.Model], np.ndarray]] = {
    "model(x)": lambda m: outputs(*(m(X1) for _ in range(STEPS))),
    "model(x, training=True)": lambda m: outputs(*(m(X1, training=True) for _ in range(STEPS))),
    "predict": lambda m: outputs(*(m.predict(X1, **QUIET) for _ in range(STEPS))),
    "batches of predict": lambda m: outputs(m.predict(X, **QUIET)),
    "predict_on_batch": lambda m: outputs(*(m.predict_on_batch(X1) for _ in range(STEPS))),
    "evaluate": lambda m: kept(m, *(m.evaluate(X1, Y1, **QUIET) for _ in range(STEPS))),
    "batches of evaluate": lambda m: kept(m, m.evaluate(X, Y, **QUIET)),
    "test_on_batch": lambda m: kept(m, *(m.test_on_batch(X1, Y1) for _ in range(STEPS))),
    "train_on_batch": lambda m: kept(m, *(m.train_on_batch(X1, Y1) for _ in range(STEPS))),
    "fit": lambda m: kept(m, *(m.fit(X1, Y1, **QUIET) for _ in range(STEPS))),
    "steps of fit": lambda m: kept(m, m.fit(X, Y, **QUIET)),
    "epochs of fit": lambda m: kept(m, m.fit(X1, Y1, epochs=STEPS, **QUIET)),
}
OTHERS = ("model(x)", "batches of predict", "steps of fit", "train_on_batch")
CELLS = [
    *(("a layer", way) for way in WAYS),
    *((model, way) for model in list(MODELS)[1:3] for way in OTHERS),
    *(("its own train_step", way) for way in OTHERS[2:]),
]


def alike(first: np.ndarray, second: np.ndarray) -> bool:
    return first.tobytes() == second.tobytes()


@pytest.mark.parametrize(("model", "way"), CELLS)
def test_noise_is_fresh_at_each_call_and_step_and_repeats_with_the_seed(
    model: str, way: str
) -> None:
    run, subject = WAYS[way], ready(MODELS[model])

    def noise(seed: int) -> np.ndarray:
        random_seed(seed)
        return run(subject)

    first = noise(1)
    assert len({step.tobytes() for step in first}) == STEPS
    assert alike(noise(1), first)
    assert not alike(noise(2), first)


def test_a_new_model_repeats_what_an_old_one_drew_after_the_same_seed() -> None:
    drawn = []
    for _ in range(2):
        random_seed(3)
        drawn.append(WAYS["steps of fit"](ready(flat)))
    assert alike(*drawn)
    assert len({step.tobytes() for step in drawn[0]}) == STEPS


def test_every_way_to_draw_is_fresh_in_every_batch() -> None:
    model = nacre.Sequential([nacre.Input((1,)), Noise(tuple(DRAWS))])
    batches = outputs(model.predict(X, **QUIET))
    constant = [
        name
        for index, name in enumerate(DRAWS)
        if len({batch[index].tobytes() for batch in batches}) < STEPS
    ]
    assert constant == []


def test_every_way_to_draw_is_here() -> None:
    assert set(DRAWS) == set(random.__all__) - {"SeedGenerator"}


def test_a_generator_of_the_script_goes_on_in_every_program() -> None:
    generator = random.SeedGenerator(3)

    class Scripted(Noise):
        def call(self, inputs: Any) -> Any:
            noise = random.normal((1, WIDTH), seed=generator)
            self.drawn.assign(ops.concatenate([self.drawn[1:], noise[None]]))
            return inputs * self.kernel + noise

    def scripted() -> nacre.Model:
        model = nacre.Sequential([nacre.Input((1,)), Scripted()])
        model.noise = model.layers[0]
        return model

    subject = ready(scripted)
    drawn = np.concatenate([WAYS[way](subject) for way in OTHERS])
    assert len({step.tobytes() for step in drawn}) == len(OTHERS) * STEPS


def test_a_loss_that_draws_is_fresh_at_each_step() -> None:
    def noisy(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(y_pred, axis=-1) * 0 + random.uniform(())

    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(WIDTH)])
    model.compile("sgd", noisy)
    losses = model.fit(X1, Y1, epochs=STEPS, **QUIET).history["loss"]
    assert len({*losses, *(model.evaluate(X1, Y1, **QUIET) for _ in range(STEPS))}) == 2 * STEPS


# --- loops of the model's own ---------------------------------------------------------------------

LOOPS: dict[str, Callable[[], Any]] = {
    "scan": lambda: ops.scan(lambda c, _: (c, random.normal((WIDTH,))), 0.0, length=STEPS)[1],
    "map": lambda: ops.map(lambda _: random.normal((WIDTH,)), np.arange(STEPS)),
    "vectorized_map": lambda: ops.vectorized_map(
        lambda _: random.normal((WIDTH,)), jnp.zeros(STEPS)
    ),
    "fori_loop": lambda: ops.fori_loop(
        0, STEPS, lambda i, c: c.at[i].set(random.normal((WIDTH,))), jnp.zeros((STEPS, WIDTH))
    ),
    "while_loop": lambda: ops.while_loop(
        lambda i, c: i < STEPS,
        lambda i, c: (i + 1, c.at[i].set(random.normal((WIDTH,)))),
        (0, jnp.zeros((STEPS, WIDTH))),
    )[1],
}


class Loop(layers.Layer):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def call(self, inputs: Any) -> Any:
        return ops.reshape(LOOPS[self.kind](), (1, -1)) + inputs


@pytest.mark.parametrize("kind", LOOPS)
def test_noise_is_fresh_in_each_turn_of_a_loop_and_at_each_call(kind: str) -> None:
    model = nacre.Sequential([nacre.Input((1,)), Loop(kind)])
    for way in ("model(x)", "batches of predict"):
        turns = WAYS[way](model).reshape(-1, WIDTH)
        assert len({turn.tobytes() for turn in turns}) == STEPS * STEPS
