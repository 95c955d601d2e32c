"""Losses that learn distances, against loops in NumPy."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, LossInputError
from nacre.losses import ContrastiveLoss, NTXentLoss, TripletLoss

rng = np.random.default_rng(0)
EMBEDDINGS = rng.normal(size=(8, 3)).astype("float32")
LABELS = np.array([0, 0, 1, 1, 1, 2, 2, 3])
TRIPLETS = rng.normal(size=(4, 3, 5)).astype("float32")
VIEWS = rng.normal(size=(4, 2, 5)).astype("float32")
DISTANCES, PAIRS = np.array([0.2, 0.7, 1.6, 0.0], "float32"), np.array([0, 1, 1, 0])
CASES = {
    "contrastive": (ContrastiveLoss(margin=0.9, name="c"), PAIRS, DISTANCES),
    "triplet": (TripletLoss(margin=0.5), np.zeros(4), TRIPLETS),
    "semi_hard": (TripletLoss(margin=0.5, mining="semi_hard"), LABELS, EMBEDDINGS),
    "nt_xent": (NTXentLoss(temperature=0.2), np.zeros(4), VIEWS),
}
each = pytest.mark.parametrize("name", list(CASES))


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_contrastive_pulls_and_pushes():
    expected = [0.2**2 / 2, (0.9 - 0.7) ** 2 / 2, 0, 0]
    close(nacre.losses.contrastive(PAIRS, DISTANCES, margin=0.9), expected)
    close(nacre.losses.contrastive(PAIRS, DISTANCES[:, None], margin=0.9), expected)


def test_stacked_triplets():
    a, p, n = TRIPLETS[:, 0], TRIPLETS[:, 1], TRIPLETS[:, 2]
    expected = np.maximum(((a - p) ** 2).sum(-1) - ((a - n) ** 2).sum(-1) + 0.5, 0)
    close(nacre.losses.triplet(None, TRIPLETS, margin=0.5), expected)


def semi_hard(margin):
    distance = ((EMBEDDINGS[:, None] - EMBEDDINGS[None]) ** 2).sum(-1)
    values = []
    for a in range(8):
        negatives = distance[a][LABELS != LABELS[a]]
        costs = []
        for p in range(8):
            if p != a and LABELS[p] == LABELS[a]:
                further = negatives[negatives > distance[a, p]]
                chosen = further.min() if len(further) else negatives.max()
                costs.append(max(0, distance[a, p] - chosen + margin))
        values.append(np.mean(costs) if costs else 0)
    return np.array(values)


def test_semi_hard_mining_is_the_loop_over_pairs():
    expected = semi_hard(0.5)
    close(nacre.losses.triplet(LABELS, EMBEDDINGS, margin=0.5, mining="semi_hard"), expected)
    # The sample alone in its class is not counted in the mean.
    close(TripletLoss(0.5, "semi_hard")(LABELS, EMBEDDINGS), expected[:7].mean())
    same = np.zeros(8, int)
    assert float(TripletLoss(0.5, "semi_hard")(same, EMBEDDINGS)) == 0


def test_nt_xent_is_the_loop_over_views():
    flat = np.concatenate([VIEWS[:, 0], VIEWS[:, 1]])
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    s = np.exp(flat @ flat.T / 0.2)
    one = [-np.log(s[i, (i + 4) % 8] / (s[i].sum() - s[i, i])) for i in range(8)]
    close(nacre.losses.nt_xent(None, VIEWS, temperature=0.2), (np.array(one[:4]) + one[4:]) / 2)


@each
def test_config_round_trip_jit_and_gradient(name):
    loss, y_true, y_pred = CASES[name]
    again = nacre.losses.deserialize(nacre.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    value = float(loss(y_true, y_pred))
    assert float(again(y_true, y_pred)) == value
    close(jax.jit(loss.__call__)(y_true, y_pred), value)
    gradient = np.asarray(jax.grad(lambda p: loss(y_true, p))(y_pred))
    assert np.isfinite(gradient).all() and gradient.any()
    step = 1e-3 * rng.normal(size=y_pred.shape).astype("float32")
    change = float(loss(y_true, y_pred + step)) - float(loss(y_true, y_pred - step))
    np.testing.assert_allclose(change, 2 * (gradient * step).sum(), rtol=0.05, atol=2e-5)


@each
def test_equal_embeddings_have_finite_gradients(name):
    loss, y_true, y_pred = CASES[name]
    gradient = jax.grad(lambda p: loss(y_true, p))(np.zeros_like(y_pred))
    assert np.isfinite(gradient).all()


def test_wrong_shapes_are_told():
    with pytest.raises(LossInputError, match="one per pair"):
        ContrastiveLoss()(PAIRS, EMBEDDINGS)
    with pytest.raises(LossInputError, match=r"\(batch, 3, size\)"):
        TripletLoss()(LABELS, EMBEDDINGS)
    with pytest.raises(LossInputError, match="both views"):
        NTXentLoss()(LABELS, EMBEDDINGS)
    with pytest.raises(ArgumentError, match="semi_hard"):
        TripletLoss(mining="hard")(LABELS, EMBEDDINGS)


def test_a_siamese_model_learns_and_loads(tmp_path):
    first, second = nacre.Input((4,)), nacre.Input((4,))
    embed = nacre.Sequential([nacre.layers.Dense(8, activation="tanh"), nacre.layers.Dense(2)])
    model = nacre.Model([first, second], nacre.layers.Distance()([embed(first), embed(second)]))
    model.compile(nacre.optimizers.Adam(0.03), ContrastiveLoss(margin=1.0))
    a, b = rng.normal(size=(2, 64, 4)).astype("float32")
    different = (np.sign(a[:, 0]) != np.sign(b[:, 0])).astype("float32")
    losses = model.fit([a, b], different, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    model.save(tmp_path / "siamese.keras")
    again = nacre.models.load_model(tmp_path / "siamese.keras")
    assert isinstance(again.loss, ContrastiveLoss)
    close(again.predict([a, b], verbose=0), model.predict([a, b], verbose=0))


def test_triplets_of_a_model_with_class_labels_train():
    model = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(2)])
    model.compile(nacre.optimizers.Adam(0.05), TripletLoss(0.5, mining="semi_hard"))
    y = rng.integers(0, 3, 48)
    x = (rng.normal(size=(48, 4)) + 2 * np.eye(4)[y]).astype("float32")
    losses = model.fit(x, y, epochs=5, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
