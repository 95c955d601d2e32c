"""What a call gives back beside what it computes from it is a source of gradients: feature maps
(Grad-CAM), attention scores, means of a sample."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers, ops

RNG = np.random.default_rng(3)
X = RNG.normal(size=(4, 3)).astype("float32")


def with_features():
    """A model with its hidden features beside its prediction; and the weights behind them."""
    x = nacre.Input((3,))
    h = layers.Dense(5, activation="tanh")(x)
    head = layers.Dense(2)
    return nacre.Model(x, [h, head(h)]), head


def slopes(head, *_):
    """The gradient of the first prediction with respect to the features."""
    return np.broadcast_to(head.get_weights()[0][:, 0], (4, 5))


def test_grad_cam_of_a_network_with_its_last_maps():
    images = RNG.normal(size=(2, 6, 6, 1)).astype("float32")
    network = nacre.Sequential(
        [
            nacre.Input((6, 6, 1)),
            layers.Conv2D(2, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(3, 3, name="last"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4),
        ]
    )
    both = nacre.Model(network.inputs, [network.get_layer("last").output, network.output])
    with nacre.GradientTape() as tape:
        maps, prediction = both(images)
        chosen = prediction[:, 1]
    weights = network.layers[-1].get_weights()[0][:, 1] / 4
    np.testing.assert_allclose(
        tape.gradient(chosen, maps), np.broadcast_to(weights, (2, 2, 2, 3)), rtol=1e-5
    )


def test_each_way_to_ask_knows_features_given_beside_a_prediction():
    model, head = with_features()
    for _ in range(4):  # layers, and then programs, are compiled after some calls
        with nacre.GradientTape(persistent=True) as tape:
            features, prediction = model(X)
            first = ops.sum(prediction[:, 0])
        np.testing.assert_allclose(tape.gradient(first, features), slopes(head), rtol=1e-5)
    np.testing.assert_allclose(
        tape.batch_jacobian(prediction, features)[:, 0], slopes(head), rtol=1e-5
    )
    for_weights = tape.gradient(prediction, model.trainable_variables)
    plain = nacre.Model(model.inputs, model.outputs[1])
    with nacre.GradientTape() as whole:
        prediction = plain(X)
    for one, other in zip(
        for_weights, whole.gradient(prediction, plain.trainable_variables), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_penalty_on_a_gradient_by_features_trains_a_model():
    model, head = with_features()
    with nacre.GradientTape() as outer:
        with nacre.GradientTape() as inner:
            features, prediction = model(X)
            first = ops.sum(prediction[:, 0])
        penalty = ops.sum(ops.square(inner.gradient(first, features)))
    found = outer.gradient(penalty, head.kernel)
    np.testing.assert_allclose(found[:, 0], 2 * 4 * head.get_weights()[0][:, 0], rtol=1e-5)
    np.testing.assert_array_equal(found[:, 1], 0)


@pytest.mark.parametrize("eager", [False, True])
def test_features_are_a_source_within_a_training_step(eager):
    model, head = with_features()
    expected = np.sum(slopes(head) ** 2)

    class Watching(nacre.Model):
        def __init__(self):
            super().__init__()
            self.inner = model

        def call(self, x):
            return self.inner(x)[1]

        def train_step(self, data):
            with nacre.GradientTape() as tape:
                features, prediction = self.inner(data[0])
                first = ops.sum(prediction[:, 0])
            return {"size": ops.sum(ops.square(tape.gradient(first, features)))}

    trained = Watching()
    trained.compile("sgd", "mse", run_eagerly=eager)
    history = trained.fit(X, np.zeros((4, 2)), batch_size=4, verbose=0).history
    np.testing.assert_allclose(history["size"], [expected], rtol=1e-5)


def test_attention_scores_are_a_source():
    attention = layers.MultiHeadAttention(num_heads=2, key_dim=3)
    tokens = jnp.asarray(RNG.normal(size=(2, 4, 6)), "float32")
    for _ in range(4):
        with nacre.GradientTape() as tape:
            output, scores = attention(tokens, tokens, return_attention_scores=True)
            first = ops.sum(output[..., 0])
        found = tape.gradient(first, scores)
    weights = dict(zip((v.path.split("/", 1)[1] for v in attention.weights), attention.weights))
    values = (
        np.einsum("bsf,fhd->bhsd", tokens, weights["value/kernel"])
        + np.asarray(weights["value/bias"])[None, :, None]
    )
    each = np.einsum("bhsd,hd->bhs", values, np.asarray(weights["attention_output/kernel"])[..., 0])
    np.testing.assert_allclose(
        found, np.broadcast_to(each[:, :, None], (2, 2, 4, 4)), rtol=1e-4, atol=1e-5
    )


def test_the_mean_of_a_sample_is_a_source_of_the_sample():
    class Sampling(layers.Layer):
        def call(self, inputs):
            mean, spread = inputs
            return mean + ops.exp(0.5 * spread) * 2.0

    x = nacre.Input((3,))
    mean, spread = layers.Dense(2)(x), layers.Dense(2)(x)
    for sample in (Sampling()([mean, spread]), mean + ops.exp(0.5 * spread) * 2.0):
        encoder = nacre.Model(x, [mean, spread, sample])
        with nacre.GradientTape() as tape:
            means, spreads, samples = encoder(X)
        for_mean, for_spread = tape.gradient(samples, [means, spreads])
        np.testing.assert_array_equal(for_mean, np.ones((4, 2)))
        np.testing.assert_allclose(for_spread, np.exp(0.5 * np.asarray(spreads)), rtol=1e-5)


def test_what_a_layer_adds_to_the_loss_is_a_function_of_its_output():
    layer = layers.Dense(2, activity_regularizer=nacre.regularizers.L2(0.5))
    model = nacre.Sequential([nacre.Input((3,)), layer])
    with nacre.GradientTape() as tape:
        output = model(X)
        added = sum(model.losses)
    np.testing.assert_allclose(tape.gradient(added, output), np.asarray(output) / 4, rtol=1e-5)


# ------------------------------------------------------------------ calls of any kind


def test_outputs_of_a_compiled_call_depend_on_each_other_as_computed():
    @jax.jit
    def inner(x):
        a = x * x
        return a, jnp.sin(a)

    @jax.jit
    def call(x, n):
        a, b = inner(x)
        c = jax.lax.stop_gradient(a) + n
        return {"a": a, "b": b, "c": c, "x": x, "again": a, "d": a * b, "n": n + 1, "one": 1.0}

    x = jnp.asarray([0.5, 2.0])
    with nacre.GradientTape(persistent=True) as tape:
        tape.watch(x)
        found = call(x, 3)
    a, b = found["a"], found["b"]
    np.testing.assert_allclose(tape.gradient(b, a), np.cos(a), rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(found["d"], a), b + a * np.cos(a), rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(found["d"], b), a, rtol=1e-6)
    assert isinstance(found["one"], jax.Array)
    assert tape.gradient(found["c"], a) is None
    assert tape.gradient(a, b) is None
    np.testing.assert_allclose(tape.gradient(found["again"], x), 2 * x, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(found["x"], x), [1, 1])
    np.testing.assert_allclose(
        tape.gradient(found["d"], x), 2 * x * np.sin(x * x) + 2 * x**3 * np.cos(x * x), rtol=1e-5
    )


def test_a_call_is_cut_as_seldom_as_its_outputs_allow():
    from nacre.core import pieces

    def count(f, *arguments):
        cut = pieces.cut_of(jax.make_jaxpr(f)(*arguments))
        return 1 if cut is None else len(cut.pieces)

    assert count(lambda x: (jnp.sin(x), jnp.cos(x)), 1.0) == 1
    assert count(lambda x: (a := jnp.sin(x), b := jnp.cos(x), a * b), 1.0) == 2
    assert count(lambda x: (a := jnp.sin(x), b := jnp.cos(a), jnp.tan(b)), 1.0) == 3
    assert count(lambda x: (a := jnp.round(x), a + x), 1.0) == 2
    assert count(lambda x: (a := jnp.sin(x), jnp.round(a)), 1.0) == 1
