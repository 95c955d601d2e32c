"""`fit(augment=[...])`: batches of training change, and their targets with them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, ShapeError

RNG = np.random.default_rng(0)
IMAGES = RNG.random((12, 4, 4, 1)).astype("float32")
LABELS = RNG.integers(0, 3, 12)


def classifier(loss="sparse_categorical_crossentropy", metrics=None, **compiled):
    nacre.utils.set_random_seed(1)
    model = nacre.Sequential(
        [nacre.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3, activation="softmax")]
    )
    model.compile(nacre.optimizers.SGD(0.5), loss, metrics=metrics, **compiled)
    return model


def same(first, second, tolerance=1e-6):
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def pixels():
    """A model that gives its images back, so that its loss tells whether targets moved along."""
    model = nacre.Sequential([nacre.Input((4, 4, 1)), layers.Rescaling(1.0)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.filterwarnings("ignore:.*nothing to train")
@pytest.mark.parametrize(
    "moves",
    [
        [layers.RandomFlip(seed=1)],
        [layers.CutMix(seed=2)],
        [layers.RandomTranslation(0.3, 0.3, interpolation="nearest", seed=3)],
        [layers.CutMix(seed=4), layers.RandomFlip(seed=5), layers.CutMix(seed=6)],
    ],
    ids=["flip", "cutmix", "translation", "chain"],
)
@pytest.mark.parametrize("channels", [True, False])
def test_masks_move_with_the_pixels(moves, channels):
    masks = IMAGES if channels else IMAGES[..., 0]
    model = pixels()
    if not channels:
        model = nacre.Sequential([nacre.Input((4, 4, 1)), layers.Reshape((4, 4))])
        model.compile("sgd", "mse")
    history = model.fit(IMAGES, masks, batch_size=6, augment=moves, verbose=0)
    assert history.history["loss"][0] < 1e-12


@pytest.mark.filterwarnings("ignore:.*nothing to train")
def test_weights_of_pixels_move_with_them():
    weights = (IMAGES[..., 0] > 0.5).astype("float32")  # what counts is what is bright
    model = pixels()
    target = np.where(IMAGES > 0.5, IMAGES, 9.0)
    history = model.fit(
        IMAGES, target, sample_weight=weights, augment=[layers.RandomFlip(seed=1)], verbose=0
    )
    assert history.history["loss"][0] < 1e-12


@pytest.mark.filterwarnings("ignore:.*nothing to train")
def test_boxes_move_with_the_pixels():
    flip = layers.RandomFlip("horizontal", seed=1, bounding_box_format="xyxy")
    boxes = np.tile(np.array([[[0.0, 0.0, 1.0, 2.0]]], "float32"), (12, 1, 1))
    images = np.zeros((12, 4, 4, 1), "float32")
    images[:, :2, :1] = 1  # what the box is around
    seen = []

    class Own(nacre.Model):
        def train_step(self, data):
            seen.append(jax.tree.map(np.asarray, data))
            return {"loss": 0.0}

    model = Own()
    model.compile("sgd", run_eagerly=True)
    y = {"boxes": boxes, "labels": np.zeros((12, 1), "int32")}
    model.fit(images, y, batch_size=12, augment=flip, verbose=0)
    x, y = seen[-1][:2]
    lefts = x[:, 0, :, 0].argmax(axis=1)
    assert set(lefts) == {0, 3}
    np.testing.assert_allclose(y["boxes"][:, 0, 0], lefts)
    np.testing.assert_allclose(y["boxes"][:, 0, 2], lefts + 1)


# -------------------------------------------------------------------- mixed labels


@pytest.mark.parametrize("mixing", [layers.MixUp, layers.CutMix])
def test_mixed_indices_train_as_mixed_one_hot_labels_do(mixing):
    sparse, dense = classifier(), classifier("categorical_crossentropy")
    for model, y in ((sparse, LABELS), (dense, nacre.utils.to_categorical(LABELS, 3))):
        nacre.utils.set_random_seed(4)
        model.fit(IMAGES, y, batch_size=6, epochs=2, augment=[mixing(seed=7)], verbose=0)
    same(sparse, dense)


def test_a_mixed_step_is_that_of_the_formula():
    mix, again = layers.MixUp(1.0, seed=7), layers.MixUp(1.0, seed=7)
    weights = RNG.random(12).astype("float32")
    model, by_hand = classifier(), classifier()
    drawn = again.get_random_transformation({"images": IMAGES})
    x = again.transform_images(IMAGES, drawn)
    share, partner = np.asarray(drawn["weights"]), np.asarray(drawn["permutation"])
    model.fit(
        IMAGES, LABELS, sample_weight=weights, batch_size=12, shuffle=False, augment=mix, verbose=0
    )
    kernel, bias = (jnp.asarray(w) for w in by_hand.get_weights())

    def loss(parameters):
        logits = jnp.reshape(x, (12, -1)) @ parameters[0] + parameters[1]
        logs = jax.nn.log_softmax(logits)
        own = -logs[np.arange(12), LABELS] * weights
        other = -logs[np.arange(12), LABELS[partner]] * weights[partner]
        return jnp.mean(share * own + (1 - share) * other)

    for now, before, slope in zip(
        model.get_weights(), (kernel, bias), jax.grad(loss)((kernel, bias)), strict=True
    ):
        np.testing.assert_allclose(now, before - 0.5 * slope, rtol=1e-5, atol=1e-6)


def test_a_mean_by_weights_is_divided_by_the_weights_of_all_parts():
    kind = nacre.losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight")
    plain, mean = classifier(), classifier(kind)
    for model in (plain, mean):
        mix = layers.CutMix(seed=7)
        model.fit(IMAGES, LABELS, batch_size=12, shuffle=False, augment=[mix], verbose=0)
    same(plain, mean)  # all weights are 1


def test_penalties_count_once_where_samples_are_mixed():
    found = []
    for augment in (None, [layers.CutMix(seed=1)]):
        model = nacre.Sequential(
            [
                nacre.Input((4, 4, 1)),
                layers.Flatten(),
                layers.Dense(3, kernel_regularizer="l2", kernel_initializer="ones"),
            ]
        )
        model.compile(nacre.optimizers.SGD(0.0), lambda y, p: 0.0 * p[:, 0])
        found.append(model.fit(IMAGES, LABELS, augment=augment, verbose=0).history["loss"][0])
    np.testing.assert_allclose(*found, rtol=1e-6)


def test_metrics_see_the_label_with_the_larger_share():
    model = classifier(metrics=["accuracy"])
    model.set_weights([0 * w for w in model.get_weights()])  # it says class 0 of all
    augment = [layers.CutMix(seed=7)]
    history = model.fit(IMAGES, LABELS, batch_size=12, shuffle=False, augment=augment, verbose=0)
    again = layers.CutMix(seed=7)
    drawn = again.get_random_transformation({"images": IMAGES})
    main = np.where(drawn["weights"] >= 0.5, LABELS, LABELS[np.asarray(drawn["permutation"])])
    np.testing.assert_allclose(history.history["accuracy"][0], np.mean(main == 0), rtol=1e-6)


def test_samples_of_weight_0_are_mixed_with_none():
    images, weights = IMAGES.copy(), np.ones(12, "float32")
    images[::3], weights[::3] = np.nan, 0
    model, without = classifier(), classifier()
    model.fit(images, LABELS, sample_weight=weights, augment=[layers.CutMix(seed=7)], verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    keep = weights > 0
    without.fit(IMAGES[keep], LABELS[keep], verbose=0)
    assert not np.allclose(model.get_weights()[0], without.get_weights()[0])


def test_a_step_of_ones_own_gets_mixed_floats_and_no_mixed_indices():
    class Own(nacre.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return nacre.ops.mean(nacre.losses.categorical_crossentropy(y, y_pred))

    def own():
        nacre.utils.set_random_seed(1)
        parts = [nacre.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3, activation="softmax")]
        model = Own(parts)
        model.compile(nacre.optimizers.SGD(0.5))
        return model

    model, plain = own(), classifier("categorical_crossentropy")
    y = nacre.utils.to_categorical(LABELS, 3)
    for one in (model, plain):
        nacre.utils.set_random_seed(4)
        one.fit(IMAGES, y, augment=[layers.CutMix(seed=7)], verbose=0)
    same(model, plain)
    with pytest.raises(ArgumentError, match="to_categorical"):
        own().fit(IMAGES, LABELS, augment=[layers.MixUp()], verbose=0)


# -------------------------------------------------------------------- what is left alone


def test_validation_prediction_and_files_know_nothing_of_it(tmp_path):
    model = classifier()
    spoil = lambda x: 0 * x
    before = model.predict(IMAGES, verbose=0)
    logs = model.fit(
        IMAGES, LABELS, validation_data=(IMAGES, LABELS), augment=spoil, verbose=0
    ).history
    np.testing.assert_allclose(logs["val_loss"], model.evaluate(IMAGES, LABELS, verbose=0), 1e-5)
    after = model.predict(IMAGES, verbose=0)
    model.save(tmp_path / "m.keras")
    np.testing.assert_allclose(
        nacre.models.load_model(tmp_path / "m.keras").predict(IMAGES, verbose=0), after
    )
    assert np.ptp(after - before, axis=0).max() > 0  # only the bias was trained
    plain = model.get_weights()
    model.fit(IMAGES, LABELS, verbose=0)  # without it
    assert not np.array_equal(model.get_weights()[0], plain[0])


def test_what_is_drawn_follows_from_the_seed_and_goes_on():
    def run():
        flip = layers.RandomFlip(seed=3)
        model = classifier()
        model.fit(IMAGES, LABELS, batch_size=4, epochs=2, augment=[flip], verbose=0)
        return model, flip.generator.state.numpy().tolist()

    (first, count), (second, _) = run(), run()
    assert all(map(np.array_equal, first.get_weights(), second.get_weights()))
    assert count == [3, 6]


def test_the_same_layers_are_compiled_once_and_their_attributes_are_seen():
    flip, model = layers.RandomFlip("horizontal", seed=3), classifier()
    traced = []

    def noted(x):
        traced.append(1)
        return x

    for _ in range(3):
        model.fit(IMAGES, LABELS, batch_size=4, augment=[flip, noted], verbose=0)
    count = len(traced)
    model.fit(IMAGES, LABELS, batch_size=4, augment=[flip, noted], verbose=0)
    assert len(traced) == count
    flip.mode = "vertical"
    model.fit(IMAGES, LABELS, batch_size=4, augment=[flip, noted], verbose=0)
    assert len(traced) > count


def test_what_a_function_reads_from_outside_is_seen_when_it_changes():
    settings = {"factor": 1.0}
    augment = [lambda x: x * settings["factor"]]
    found = []
    for factor in (1.0, 3.0, 1.0):
        settings["factor"] = factor
        model = classifier()
        model.fit(IMAGES, LABELS, shuffle=False, augment=augment, verbose=0)
        found.append(model.get_weights()[0])
    assert np.array_equal(found[0], found[2]) and not np.array_equal(found[0], found[1])
    settings["factor"] = 3.0
    model.set_weights(classifier().get_weights())
    model.fit(IMAGES, LABELS, shuffle=False, augment=augment, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], found[1], rtol=1e-6)


# -------------------------------------------------------------------- inputs, functions, mistakes


def test_of_several_inputs_one_is_named_and_generators_are_augmented_too():
    image, number = nacre.Input((4, 4, 1), name="image"), nacre.Input((1,), name="number")
    hidden = layers.Concatenate()([layers.Flatten()(image), number])
    model = nacre.Model([image, number], layers.Dense(1)(hidden))
    model.compile("sgd", "mse")
    seen = []

    def double(x):
        seen.append(x.shape)
        return x * 2

    x = {"image": IMAGES, "number": np.ones((12, 1), "float32")}
    y = np.ones((12, 1), "float32")
    model.fit(x, y, augment={"image": [double]}, verbose=0)
    model.fit(((x, y) for _ in range(2)), augment={"image": [double]}, verbose=0)
    assert set(seen) == {(12, 4, 4, 1)}
    with pytest.raises(ArgumentError, match="Did you mean 'image'"):
        model.fit(x, y, augment={"imag": [double]}, verbose=0)
    with pytest.raises(ArgumentError, match="must be named"):
        model.fit(x, y, augment=[layers.RandomFlip()], verbose=0)


def test_functions_take_inputs_targets_and_weights():
    model, plain = classifier(), classifier()
    weights = np.ones(12, "float32")
    model.fit(
        IMAGES,
        LABELS,
        sample_weight=weights,
        augment=[lambda x: x + 1, lambda x, y: (x - 1, 2 - y), lambda x, y, w: (x, 2 - y, w * 1)],
        verbose=0,
        shuffle=False,
    )
    plain.fit(IMAGES, LABELS, verbose=0, shuffle=False)
    same(model, plain, 1e-5)


def test_chains_of_layers_are_opened():
    chain = nacre.Sequential([layers.RandomFlip(seed=1), layers.GaussianNoise(0.1, seed=2)])
    first, second = classifier(), classifier()
    for model, augment in (
        (first, [chain]),
        (second, [layers.RandomFlip(seed=1), layers.GaussianNoise(0.1, seed=2)]),
    ):
        nacre.utils.set_random_seed(4)
        model.fit(IMAGES, LABELS, augment=augment, verbose=0)
    same(first, second)


@pytest.mark.parametrize(
    ("augment", "error", "match"),
    [
        ([layers.RandomFlip], ArgumentError, "Call it"),
        (["flip"], ArgumentError, "layers or functions"),
        ([lambda x, y: x], ArgumentError, "return"),
        ([lambda x: x[:2]], ShapeError, "number of samples"),
        ([lambda a, b, c, d: a], ArgumentError, "sample_weight"),
        ([layers.MixUp(), lambda x, y: (x, y)], ArgumentError, "before layers that mix"),
    ],
)
def test_mistakes_are_told(augment, error, match):
    with pytest.raises(error, match=match):
        classifier().fit(IMAGES, LABELS, augment=augment, verbose=0)


def test_targets_of_another_size_cannot_move_along():
    small = np.zeros((12, 2, 2, 1), "float32")
    model = nacre.Sequential([nacre.Input((4, 4, 1)), layers.MaxPooling2D(), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ShapeError, match=r"images' size \(4, 4\)"):
        model.fit(IMAGES, small, augment=[layers.RandomFlip()], verbose=0)
