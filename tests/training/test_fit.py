"""fit, evaluate, predict: what goes in, what is reported, what stays."""

import itertools
import threading
import time

import numpy as np
import pytest

import nacre as keras
from nacre import layers, ops
from nacre.core.errors import NacreError

RNG = np.random.default_rng(0)
X = RNG.random((70, 6), dtype=np.float32)
Y = (X.sum(axis=1) > 3).astype("int32")


def classifier(seed=0, **kwargs):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, "tanh"), layers.Dense(2, "softmax")]
    )
    kwargs.setdefault("optimizer", keras.optimizers.Adam(0.05))
    kwargs.setdefault("loss", "sparse_categorical_crossentropy")
    kwargs.setdefault("metrics", ["accuracy"])
    model.compile(**kwargs)
    return model


def test_fit_learns_and_history_has_every_epoch():
    model = classifier()
    history = model.fit(X, Y, epochs=15, validation_split=0.2, verbose=0)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert len(history.history["loss"]) == 15 and history.epoch == list(range(15))
    assert history.history["loss"][-1] < history.history["loss"][0] / 2
    assert model.history is history


def test_same_seed_gives_the_same_bits():
    runs = []
    for _ in range(2):
        model = classifier(seed=3)
        model.fit(X, Y, epochs=2, verbose=0)
        runs.append(model.get_weights())
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)


def manual_epochs(model, x, y, rows, epochs):
    """The same training with one call of train_on_batch a step, in order."""
    for _ in range(epochs):
        for start in range(0, len(x), rows):
            model.train_on_batch(x[start : start + rows], y[start : start + rows])


@pytest.mark.parametrize("steps_per_execution", [None, 1, 3])
@pytest.mark.parametrize("rows", [16, 70, 100])
def test_the_compiled_loop_equals_single_steps(rows, steps_per_execution):
    one, other = classifier(), classifier(steps_per_execution=steps_per_execution)
    manual_epochs(one, X, Y, min(rows, 70), 2)
    other.fit(X, Y, batch_size=rows, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def batches(rows=16):
    for start in range(0, len(X), rows):
        yield X[start : start + rows], Y[start : start + rows]


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return list(batches())[index]


class ManyWorkers(Batches):
    def __init__(self):
        super().__init__(workers=3)


def endless():
    while True:
        yield from batches()


SOURCES = {
    "py_dataset": lambda: (Batches(), None),
    "py_dataset_with_threads": lambda: (ManyWorkers(), None),
    "endless_generator": lambda: (endless(), 5),
    "list_of_batches_as_iterable": lambda: (iter([b for _ in range(2) for b in batches()]), 5),
}


@pytest.mark.parametrize("kind", list(SOURCES))
def test_every_source_of_batches_trains_like_arrays(kind):
    expected, model = classifier(), classifier()
    expected.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    source, steps = SOURCES[kind]()
    model.fit(source, steps_per_epoch=steps, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(expected.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_arrays_too_large_for_the_device_are_streamed_to_the_same_result(monkeypatch):
    expected = classifier()
    expected.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    model = classifier()
    monkeypatch.setenv("NACRE_DEVICE_BUDGET_BYTES", "100")
    monkeypatch.setattr("nacre.data.sources.CHUNK_BYTES", 600)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    for a, b in zip(expected.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        model.evaluate(X, Y, batch_size=8, verbose=0), expected.evaluate(X, Y, verbose=0), rtol=1e-4
    )


def test_memory_mapped_rows_train(tmp_path, monkeypatch):
    path = tmp_path / "rows.npy"
    np.save(path, X)
    monkeypatch.setenv("NACRE_DEVICE_BUDGET_BYTES", "100")
    expected = classifier()
    expected.fit(X, Y, epochs=1, verbose=0)
    model = classifier()
    model.fit(np.load(path, mmap_mode="r"), Y, epochs=1, verbose=0)
    for a, b in zip(expected.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_evaluate_does_not_depend_on_the_batch_size():
    model = classifier()
    results = [model.evaluate(X, Y, batch_size=n, verbose=0) for n in (1, 7, 32, 70, 1000)]
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-5)


def test_losses_of_outputs_in_a_dict_are_listed_as_they_were_named():
    x = keras.Input((4,))
    ends = {name: layers.Dense(1, name=name)(x) for name in ("near", "far")}
    data, targets = np.ones((8, 4)), {"near": np.zeros((8, 1)), "far": np.full((8, 1), 100.0)}
    for outputs, first in ((ends, ["near", "far"]), (list(ends.values()), ["near", "far"])):
        model = keras.Model(x, outputs)
        model.compile("sgd", {name: "mae" for name in first})
        loss, near, far = model.evaluate(data, targets, verbose=0)
        assert near < 50 < far < loss
    model = keras.Model(x, ends)
    model.compile("sgd", {"far": "mae", "near": "mae"})
    assert model.evaluate(data, targets, verbose=0)[1] > 50


def test_evaluate_returns_a_list_a_dict_or_one_number():
    model = classifier()
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    assert model.evaluate(X, Y, verbose=0, return_dict=True) == {"loss": loss, "accuracy": accuracy}
    model.compile("adam", "sparse_categorical_crossentropy")
    assert isinstance(model.evaluate(X, Y, verbose=0), float)
    assert model.metrics_names == ["loss"]


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 70])
def test_predict_gives_one_row_for_each_row(count):
    model = classifier()
    np.testing.assert_allclose(
        model.predict(X[:count], verbose=0), np.asarray(model(X))[:count], rtol=1e-5, atol=1e-6
    )


def test_predict_keeps_structures():
    x = keras.Input((6,), name="x")
    model = keras.Model({"x": x}, {"double": x * 2, "pair": [x + 1, x + 2]})
    out = model.predict({"x": X}, verbose=0)
    np.testing.assert_allclose(out["double"], X * 2)
    np.testing.assert_allclose(out["pair"][1], X + 2, rtol=1e-6)


def test_predict_result_is_the_users_own():
    model = classifier()
    first = model.predict(X[:4], verbose=0)
    first[:] = 0
    assert np.abs(model.predict(X[:4], verbose=0)).max() > 0


def test_sample_weight_and_class_weight_change_the_loss_alike():
    weights = np.where(Y == 1, 3.0, 0.5).astype("float32")
    one, other = classifier(), classifier()
    one.fit(X, Y, sample_weight=weights, epochs=2, verbose=0, shuffle=False)
    other.fit(X, Y, class_weight={0: 0.5, 1: 3.0}, epochs=2, verbose=0, shuffle=False)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    plain = classifier()
    plain.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    assert np.abs(plain.get_weights()[0] - one.get_weights()[0]).max() > 1e-4


def test_validation_split_takes_the_last_rows():
    model = classifier()
    model.fit(X, Y, validation_split=0.3, epochs=1, verbose=0)
    cut = 49
    expected = model.evaluate(X[cut:], Y[cut:], verbose=0)
    assert model.history.history["val_loss"][0] == pytest.approx(expected[0], rel=1e-5)


def test_steps_per_epoch_and_initial_epoch():
    model = classifier()
    history = model.fit(
        X, Y, batch_size=10, steps_per_epoch=2, epochs=5, initial_epoch=3, verbose=0
    )
    assert history.epoch == [3, 4]
    assert int(model.optimizer.iterations.value) == 4


def test_validation_freq():
    history = classifier().fit(X, Y, epochs=4, validation_data=(X, Y), validation_freq=2, verbose=0)
    assert len(history.history["val_loss"]) == 2


def test_several_outputs_report_each_loss_and_metric():
    x = keras.Input((6,))
    a, b = layers.Dense(1, name="a")(x), layers.Dense(2, "softmax", name="b")(x)
    model = keras.Model(x, [a, b])
    model.compile(
        "sgd", {"a": "mse", "b": "sparse_categorical_crossentropy"},
        loss_weights={"a": 0.5, "b": 2.0}, metrics={"b": ["accuracy"]},
    )  # fmt: skip
    logs = model.evaluate(X, {"a": X[:, :1], "b": Y}, return_dict=True, verbose=0)
    assert list(logs) == ["a_loss", "b_accuracy", "b_loss", "loss"]
    assert logs["loss"] == pytest.approx(0.5 * logs["a_loss"] + 2 * logs["b_loss"], rel=1e-5)


def test_old_positional_metrics_are_understood():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    assert set(model.fit(X, Y, verbose=0).history) == {"loss", "accuracy"}


def test_regularizers_and_added_losses_count():
    class AddsLoss(keras.Layer):
        def call(self, x):
            self.add_loss(ops.sum(x) * 0 + 5.0)
            return x

    model = keras.Sequential(
        [
            keras.Input((6,)),
            AddsLoss(),
            layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.1)),
        ]
    )
    model.compile("sgd", "mse")
    mse = float(np.mean((np.asarray(model(X)) - X[:, :1]) ** 2))
    penalty = 0.1 * float((model.get_weights()[0] ** 2).sum())
    assert model.evaluate(X, X[:, :1], verbose=0) == pytest.approx(mse + penalty + 5, rel=1e-4)


def test_overridden_compute_loss_is_used():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.mean(ops.abs(y - y_pred)) + 7.0

    model = Own()
    model.compile(keras.optimizers.SGD(0.0))
    assert model.fit(X, X[:, :1], verbose=0).history["loss"][0] > 7


def test_overridden_stateless_train_step_is_traced_into_the_loop():
    import jax

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, state, data):
            trainable, others, optimizer, metrics = state
            x, y = data

            def loss_of(values):
                y_pred, new_others = self.stateless_call(values, others, x, training=True)
                return ops.mean((y - y_pred) ** 2), new_others

            (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable)
            trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
            return {"loss": loss, "twice": 2 * loss}, (trainable, others, optimizer, metrics)

    model = Own()
    model.compile(keras.optimizers.Adam(0.05))
    history = model.fit(X, X[:, :1], epochs=8, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["twice"][-1] == pytest.approx(2 * history["loss"][-1], rel=1e-5)


def test_run_eagerly_gives_the_same_numbers():
    one, other = classifier(), classifier(run_eagerly=True)
    for model in (one, other):  # two whole batches: sizes are compiled one by one without a program
        model.fit(X[:64], Y[:64], epochs=1, shuffle=False, verbose=0)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_one_line_an_epoch_when_stdout_is_no_terminal(capsys):
    classifier().fit(X, Y, epochs=3)
    lines = capsys.readouterr().out.strip().split("\n")
    assert len(lines) == 4
    assert lines[0].startswith("accuracy") and "SparseCategoricalAccuracy" in lines[0]
    assert all(line.startswith(f"Epoch {n + 1}/3") for n, line in enumerate(lines[1:]))


def test_verbose_zero_prints_nothing(capsys):
    model = classifier()
    model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == ""


def test_batch_hooks_see_every_step_and_the_newest_weights():
    seen = []

    class Watches(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, logs["loss"], self.model.get_weights()[0].copy()))

    model = classifier()
    model.fit(X, Y, batch_size=16, epochs=1, verbose=0, callbacks=[Watches()])
    assert [step for step, _, _ in seen] == list(range(5))
    assert all(np.abs(a[2] - b[2]).max() > 0 for a, b in itertools.pairwise(seen))


def test_arrays_a_user_keeps_survive_training():
    model = classifier()
    kept = model.layers[0].kernel.value
    model.fit(X, Y, epochs=2, verbose=0)
    assert np.isfinite(np.asarray(kept)).all()
    assert np.abs(np.asarray(kept) - model.layers[0].kernel.numpy()).max() > 0


def test_changing_trainable_after_compile_asks_for_compile():
    model = classifier()
    model.fit(X, Y, verbose=0)
    model.layers[0].trainable = False
    with pytest.raises(ValueError, match="call compile"):
        model.fit(X, Y, verbose=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    before = model.layers[0].kernel.numpy().copy()
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.layers[0].kernel.numpy(), before)


def test_learning_rate_can_change_between_epochs_without_compiling_again():
    model = classifier()
    model.fit(X, Y, verbose=0)
    programs = len(model._programs)
    model.optimizer.learning_rate = 0.0
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert len(model._programs) == programs
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_masks_reach_the_loss():
    model = keras.Sequential(
        [keras.Input((4,), dtype="int32"), layers.Embedding(5, 3, mask_zero=True), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    x = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    y = np.zeros((2, 4, 1), "float32")
    y[x == 0] = 100.0  # padded steps must not count
    assert model.evaluate(x, y, verbose=0) < 100


def test_mixed_precision_trains_and_keeps_float32_weights():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = classifier()
    finally:
        keras.mixed_precision.set_global_policy(None)
    history = model.fit(X, Y, epochs=5, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert model.layers[0].kernel.numpy().dtype == np.float32


def test_metrics_that_need_shapes_get_their_variables_before_training():
    model = classifier(
        loss="categorical_crossentropy",
        metrics=[keras.metrics.F1Score(average="macro"), keras.metrics.AUC(multi_label=True)],
    )
    history = model.fit(X, keras.utils.to_categorical(Y, 2), epochs=2, verbose=0).history
    assert set(history) == {"loss", "f1_score", "auc"}
    assert 0 <= history["f1_score"][-1] <= 1


def test_epochs_of_fewer_steps_go_on_through_the_rows():
    one, other = classifier(), classifier()
    one.fit(X[:64], Y[:64], batch_size=16, epochs=1, shuffle=False, verbose=0)
    other.fit(X[:64], Y[:64], batch_size=16, epochs=2, steps_per_epoch=2, shuffle=False, verbose=0)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_metrics_of_batches_go_on_where_they_are_not_reset():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.ones((1, 1), "float32")])
    model.compile("sgd", "mse", metrics=["mae"])
    model.optimizer.learning_rate = 0.0

    def ran(method, error, **kwargs):
        x = np.full((2, 1), error, "float32")
        return [float(value) for value in method(x, np.zeros((2, 1)), **kwargs)]

    # tf.keras 2.15's numbers.
    assert ran(model.train_on_batch, 5) == [25, 5]
    assert ran(model.test_on_batch, 1, reset_metrics=False) == [13, 3]
    assert ran(model.test_on_batch, 3, reset_metrics=False) == pytest.approx([35 / 3, 3])
    assert ran(model.train_on_batch, 5) == [25, 5]
    assert ran(model.train_on_batch, 2, reset_metrics=False) == [14.5, 3.5]
    assert ran(model.train_on_batch, 4, reset_metrics=True) == [16, 4]
    assert ran(model.test_on_batch, 1) == [1, 1]


def test_train_on_batch_reports_its_own_batch():
    model = classifier(optimizer=keras.optimizers.SGD(0.0))
    first = model.train_on_batch(X[:8], Y[:8])
    model.train_on_batch(X[8:40], Y[8:40])
    assert model.train_on_batch(X[:8], Y[:8]) == pytest.approx(first)


def test_a_finite_generator_ends_training_with_a_warning():
    model = classifier()
    with pytest.warns(UserWarning, match="training ends here"):
        history = model.fit(batches(), epochs=3, verbose=0)
    assert len(history.epoch) == 1


def test_an_own_list_of_metrics_is_all_that_is_reported():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)
            self.distance = keras.metrics.Mean(name="distance")

        def call(self, x):
            return self.dense(x)

        @property
        def metrics(self):
            return [self.distance]

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = ops.mean(ops.abs(y - y_pred))
            self.distance.update_state(loss)
            return loss

    model = Own()
    model.compile(keras.optimizers.SGD(0.01))
    assert set(model.fit(X, X[:, :1], verbose=0).history) == {"distance"}


def test_layers_compute_in_the_policys_dtype_symbolically_too():
    layer = layers.Dense(2, dtype="mixed_bfloat16")
    assert layer(keras.Input((3,))).dtype == "bfloat16"
    assert layer.kernel.dtype == "float32"


def test_no_thread_is_left_behind():
    before = threading.enumerate()  # a compilation of another test may still be under way

    def making_batches():
        found = [t for t in threading.enumerate() if t not in before]
        return [t for t in found if t.name.startswith("nacre-")]

    model = classifier()
    model.fit(
        endless(),
        steps_per_epoch=3,
        epochs=2,
        validation_data=endless(),
        validation_steps=2,
        verbose=0,
    )
    model.evaluate(endless(), steps=2, verbose=0)
    model.predict((x for x, _ in endless()), steps=2, verbose=0)
    wide = (np.ones((4, 99), "float32") for _ in endless())
    kept = []  # errors hold the frames of the calls they came from
    for refused in (
        lambda: model.fit(
            endless(),
            steps_per_epoch=2,
            verbose=0,
            callbacks=[keras.callbacks.EarlyStopping(monitor="val_los")],
        ),
        lambda: model.evaluate(((x, np.zeros(4)) for x in wide), steps=2, verbose=0),
        lambda: model.predict(wide, steps=2, verbose=0),
    ):
        with pytest.raises(NacreError) as raised:
            refused()
        kept.append(raised)
    end = time.monotonic() + 5
    while making_batches() and time.monotonic() < end:
        time.sleep(0.02)
    assert making_batches() == []
