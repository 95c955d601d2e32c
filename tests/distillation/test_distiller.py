"""A student learns from its teacher: Keras's numbers, Hinton's formula, files, mistakes."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

import nacre
from nacre import distillation, layers, ops
from nacre.core.errors import ArgumentError, UnknownNameError
from nacre.distillation import Distiller, FeatureDistillation, LogitsDistillation

REFERENCE = np.load(pathlib.Path(__file__).parents[1] / "reference" / "distillation.npz")
X, Y = (REFERENCE[f"data/{name}"] for name in ("x", "y"))
CROSS_ENTROPY = nacre.losses.SparseCategoricalCrossentropy(from_logits=True)


def known(name):
    count = sum(key.startswith(f"{name}/w") for key in REFERENCE.files)
    return [REFERENCE[f"{name}/w{i}"] for i in range(count)]


def model(weights=None, hidden=6, **more):
    made = nacre.Sequential(
        [
            nacre.Input((4,)),
            layers.Dense(hidden, activation="tanh", name="hidden"),
            layers.Dense(3, name="logits"),
        ],
        **more,
    )
    if weights is not None:
        made.set_weights(weights)
    return made


@pytest.mark.parametrize(
    ("name", "losses", "weights", "share"),
    [
        ("logits", [LogitsDistillation(2.0, loss="mse")], None, 0.5),
        ("features", [FeatureDistillation("mae", "hidden", "hidden")], None, 0.0),
        (
            "both",
            [
                LogitsDistillation(4.0, loss="huber"),
                FeatureDistillation("mse", "hidden", "hidden"),
            ],
            [0.7, 2.0],
            0.3,
        ),
        ("outputs", [FeatureDistillation("cosine_similarity")], None, 0.8),
    ],
)
def test_fifty_steps_are_those_of_keras(name, losses, weights, share):
    teacher, student = (model(known(f"{name}/{part}")) for part in ("teacher", "student"))
    distiller = Distiller(teacher, student, losses, weights, share)
    distiller.compile(nacre.optimizers.Adam(0.01), CROSS_ENTROPY, metrics=["accuracy"])
    history = distiller.fit(X, Y, batch_size=8, epochs=25, shuffle=False, verbose=0).history
    logs = [key for key in REFERENCE.files if key.startswith(f"{name}/logs/")]
    assert {key.rpartition("/")[2] for key in logs} == set(history)
    for key in logs:
        np.testing.assert_allclose(
            history[key.rpartition("/")[2]], REFERENCE[key], rtol=2e-4, atol=2e-5, err_msg=key
        )
    for now, then in zip(student.get_weights(), known(f"{name}/end"), strict=True):
        np.testing.assert_allclose(now, then, rtol=1e-3, atol=1e-4)
    for now, then in zip(teacher.get_weights(), known(f"{name}/teacher"), strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("loss", ["kl_divergence", "categorical_crossentropy"])
def test_losses_of_probabilities_are_hintons(loss):
    rng, temperature = np.random.default_rng(0), 3.0
    taught, learnt = rng.normal(size=(2, 5, 4))

    def softened(logits):
        powers = np.exp(logits / temperature)
        return powers / powers.sum(axis=-1, keepdims=True)

    p, q = softened(taught), softened(learnt)
    values = {"kl_divergence": p * np.log(p / q), "categorical_crossentropy": -p * np.log(q)}
    expected = temperature**2 * values[loss].sum(axis=-1).mean()
    found = LogitsDistillation(temperature, loss).compute_loss(ops.array(taught), ops.array(learnt))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    with_logits = nacre.losses.CategoricalCrossentropy(from_logits=True)
    if loss == "categorical_crossentropy":
        again = LogitsDistillation(temperature, with_logits)
        np.testing.assert_allclose(again.compute_loss(taught, learnt), expected, rtol=1e-5)


def test_batch_statistics_of_the_student_are_updated_once_a_step():
    def student():
        return nacre.Sequential(
            [
                nacre.Input((4,)),
                layers.BatchNormalization(momentum=0.9),
                layers.Dense(6, name="hidden"),
                layers.Dense(3),
            ]
        )

    distilled, plain = student(), student()
    plain.set_weights(distilled.get_weights())
    distiller = Distiller(model(), distilled, FeatureDistillation("mse", "hidden", "hidden"))
    distiller.compile("sgd", CROSS_ENTROPY)
    plain.compile("sgd", CROSS_ENTROPY)
    for one in (distiller, plain):
        one.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    np.testing.assert_allclose(
        distilled.layers[0].moving_mean.numpy(), plain.layers[0].moving_mean.numpy(), rtol=1e-6
    )


def test_what_has_weight_0_is_learnt_from_neither_labels_nor_teacher():
    spoiled, weights = X.copy(), np.ones(16, "float32")
    spoiled[::4], weights[::4] = np.nan, 0
    found = []
    for x in (X, spoiled):
        nacre.utils.set_random_seed(2)
        distiller = Distiller(model(), model(), LogitsDistillation(loss="mse"))
        distiller.compile("sgd", CROSS_ENTROPY)
        distiller.fit(x, Y, sample_weight=weights, verbose=0)
        found.append(distiller.student.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_it_is_the_student_when_called_and_comes_back_from_a_file(tmp_path):
    distiller = Distiller(
        model(),
        model(),
        [LogitsDistillation(2.0), FeatureDistillation("mse", "hidden", "hidden")],
        [1.0, 0.5],
        0.3,
    )
    distiller.compile("adam", CROSS_ENTROPY, metrics=["accuracy"])
    distiller.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(
        distiller.predict(X, verbose=0), distiller.student.predict(X, verbose=0)
    )
    distiller.save(tmp_path / "d.keras")
    again = nacre.models.load_model(tmp_path / "d.keras")
    assert type(again) is Distiller and not again.teacher.trainable
    assert again.get_config() == distiller.get_config()
    for one in (distiller, again):
        one.fit(X, Y, shuffle=False, verbose=0)
    np.testing.assert_allclose(
        again.predict(X, verbose=0), distiller.predict(X, verbose=0), rtol=1e-6
    )


def test_a_file_of_keras_opens_and_is_to_be_compiled_again():
    path = (
        pathlib.Path(__file__).parents[1]
        / "reference"
        / "files"
        / "distillation"
        / "distiller.keras"
    )
    with pytest.warns(UserWarning, match=r"Call compile\(\) again"):
        distiller = nacre.models.load_model(path)
    for part, one in (("end", distiller.student), ("teacher", distiller.teacher)):
        for now, then in zip(one.get_weights(), known(f"both/{part}"), strict=True):
            np.testing.assert_array_equal(now, then)
    assert distiller.student_loss_weight == 0.3 and not distiller.compiled
    assert distiller.distillation_loss_weights == [0.7, 2.0]
    distiller.compile("adam", CROSS_ENTROPY)
    distiller.fit(X, Y, verbose=0)


def test_a_loss_of_ones_own_and_no_labels_are_taken():
    class Distance(distillation.DistillationLoss):
        def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
            return ops.mean(ops.abs(teacher_outputs - student_outputs))

    distiller = Distiller(model(), model(), Distance(), student_loss_weight=0.0)
    distiller.compile(nacre.optimizers.Adam(0.05))
    logs = distiller.fit(X, epochs=10, verbose=0).history
    assert logs["distillation_loss"][-1] < logs["distillation_loss"][0]


def test_models_with_several_outputs_are_compared_output_by_output():
    def two():
        x = nacre.Input((4,))
        return nacre.Model(x, {"a": layers.Dense(3)(x), "b": layers.Dense(2)(x)})

    teacher, student = two(), two()
    distiller = Distiller(
        teacher, student, LogitsDistillation(1.0, {"a": "mse", "b": "mae"}), student_loss_weight=0.0
    )
    distiller.compile("sgd")
    found = distiller.evaluate(X, verbose=0, return_dict=True)["distillation_loss"]
    taught, learnt = teacher.predict(X, verbose=0), student.predict(X, verbose=0)
    expected = np.mean((taught["a"] - learnt["a"]) ** 2) + np.mean(abs(taught["b"] - learnt["b"]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: LogitsDistillation(0.0), ArgumentError, "positive"),
        (lambda: LogitsDistillation(loss=None), ArgumentError, "loss='mse'"),
        (lambda: LogitsDistillation(loss="nope"), UnknownNameError, "nope"),
        (lambda: Distiller(model(), "student", LogitsDistillation()), ArgumentError, "a model"),
        (lambda: Distiller(model(), model(), "kl"), ArgumentError, "LogitsDistillation"),
        (
            lambda: Distiller(model(), model(), LogitsDistillation(), [1.0, 2.0]),
            ArgumentError,
            "1 losses",
        ),
        (
            lambda: Distiller(model(), model(), LogitsDistillation(), student_loss_weight=2),
            ArgumentError,
            "from 0 to 1",
        ),
        (
            lambda: Distiller(model(), model(), FeatureDistillation("mse", "hiden", "hidden")),
            UnknownNameError,
            "Did you mean 'hidden'",
        ),
        (
            lambda: Distiller(
                model(),
                nacre.Sequential([nacre.Input((5,)), layers.Dense(3)]),
                LogitsDistillation(),
            ),
            ArgumentError,
            "same inputs",
        ),
        (
            lambda: Distiller(model(), model(), LogitsDistillation()).compile("sgd"),
            ArgumentError,
            "student_loss_weight=0.0",
        ),
    ],
)
def test_mistakes_are_told(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_features_of_other_sizes_are_refused_with_the_way_out():
    loss = FeatureDistillation("mse", "hidden", "hidden")
    distiller = Distiller(model(hidden=8), model(), loss)
    distiller.compile("sgd", CROSS_ENTROPY)
    with pytest.raises(ArgumentError, match="projects to the teacher's features"):
        distiller.fit(X, Y, verbose=0)


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_probabilities_where_logits_are_softened_are_told(role):
    parts = {"teacher": model(), "student": model()}
    parts[role] = nacre.Sequential([parts[role], layers.Softmax()])
    with pytest.warns(UserWarning, match=f"must be logits.*{role}.*softmax.*from_logits=True"):
        Distiller(parts["teacher"], parts["student"], LogitsDistillation())
    Distiller(parts["teacher"], parts["student"], LogitsDistillation(loss="mse"))
