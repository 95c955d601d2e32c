"""`tf.saved_model` writes modules and models that open again, also in TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError


def _module() -> Any:
    class Inner(tf.Module):
        def __init__(self):
            super().__init__()
            self.offset = tf.Variable(10.0)

    class Scale(tf.Module):
        def __init__(self):
            super().__init__()
            self.w, self.inner = tf.Variable([2.0, 3.0]), Inner()

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
        def __call__(self, x):
            if tf.reduce_sum(x) > 0:
                return x * self.w
            return x + self.inner.offset

        @tf.function
        def shifted(self, x, y):
            return {"s": x + y}

        @tf.function
        def never_called(self, x):
            return x

    return Scale()


def test_a_module_opens_with_its_functions_and_variables(tmp_path: Path) -> None:
    module = _module()
    for size in (3, 4):
        module.shifted(tf.ones([size]), tf.ones([size]))
    with pytest.warns(UserWarning, match="never_called left out"):
        tf.saved_model.save(module, tmp_path / "m")
    assert tf.saved_model.contains_saved_model(tmp_path / "m")
    found, x = tf.saved_model.load(tmp_path / "m"), tf.constant([[1.0, 2.0]])
    assert found(x).numpy().tolist() == [[2.0, 6.0]]
    assert found(-x).numpy().tolist() == [[9.0, 8.0]]
    assert found.w.numpy().tolist() == [2.0, 3.0] and float(found.inner.offset.numpy()) == 10.0
    found.w.assign([0.0, 1.0])
    assert found(x).numpy().tolist() == [[0.0, 2.0]]
    # A size that differed between calls is left open.
    assert found.shifted(tf.ones([6]), tf.ones([6]))["s"].numpy().tolist() == [2.0] * 6
    serve = found.signatures["serving_default"]
    args, kwargs = serve.structured_input_signature
    assert args == () and tuple(kwargs["x"].shape) == (None, 2)
    assert serve(x=x)["output_0"].numpy().tolist() == [[0.0, 2.0]]


def test_signatures_are_those_that_are_given(tmp_path: Path) -> None:
    module = _module()

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def doubled(x):
        return {"twice": module(x) * 2}

    module.shifted = module.never_called = None
    tf.saved_model.save(module, tmp_path / "m", signatures={"doubled": doubled})
    found = tf.saved_model.load(tmp_path / "m")
    out = found.signatures["doubled"](tf.constant([[1.0, 2.0]]))
    assert out["twice"].numpy().tolist() == [[4.0, 12.0]]


def test_a_signature_may_be_a_concrete_function(tmp_path: Path) -> None:
    @tf.function
    def scaled(x: Any, factor: float = 1.0) -> Any:
        return factor * x

    module = tf.Module()
    module.scaled = scaled
    scaled(tf.ones((5,), tf.float16))  # known too, and not what is served
    concrete = scaled.get_concrete_function(tf.TensorSpec([None, 2], tf.float32), factor=3.0)
    model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(2)])
    for number, thing in enumerate((module, model)):
        tf.saved_model.save(thing, tmp_path / str(number), signatures=concrete)
        serve = tf.saved_model.load(tmp_path / str(number)).signatures["serving_default"]
        (found,) = serve(x=tf.ones((3, 2))).values()
        assert np.asarray(found).tolist() == [[3.0, 3.0]] * 3


def test_a_model_is_saved_as_a_model(tmp_path: Path) -> None:
    model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(2)])
    tf.saved_model.save(model, tmp_path / "m")
    x = np.ones((2, 3), "float32")
    np.testing.assert_allclose(tf.saved_model.load(tmp_path / "m")(x), model(x), rtol=1e-6)
    again = tf.keras.models.load_model(tmp_path / "m")
    np.testing.assert_allclose(again(x), model(x), rtol=1e-6)


def test_a_variable_that_is_returned_is_what_it_holds_at_the_end(tmp_path: Path) -> None:
    class Counter(tf.Module):
        def __init__(self):
            super().__init__()
            self.count = tf.Variable(1.0)

        @tf.function(input_signature=[tf.TensorSpec([])])
        def add(self, x):
            self.count.assign_add(x)
            return {"count": self.count, "twice": 2 * self.count}

    tf.saved_model.save(Counter(), tmp_path / "m")
    add = tf.saved_model.load(tmp_path / "m").add
    found = [add(tf.constant(2.0)) for _ in range(2)]
    assert [float(one["count"]) for one in found] == [3.0, 5.0]
    assert [float(one["twice"]) for one in found] == [6.0, 10.0]


def test_what_cannot_be_saved_is_told(tmp_path: Path) -> None:
    class Empty(tf.Module):
        pass

    with pytest.raises(ArgumentError, match="input_signature"):
        tf.saved_model.save(Empty(), tmp_path / "m")
    with pytest.raises(ArgumentError, match=r"tf\.Module"):
        tf.saved_model.save(3, tmp_path / "m")


def test_a_model_without_call_is_saved_by_its_functions(tmp_path):
    class Holder(tf.keras.Model):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        @tf.function(input_signature=[tf.TensorSpec([None, 3])])
        def score(self, x):
            return self.inner(x) * 2

    holder = Holder(tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))]))
    tf.saved_model.save(holder, str(tmp_path / "holder"))
    x = np.ones((4, 3), "float32")
    found = tf.saved_model.load(str(tmp_path / "holder")).score(x)
    np.testing.assert_allclose(found, holder.score(x), rtol=1e-6)


def test_nothing_is_printed_while_a_module_is_saved(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    class Counter(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = tf.Variable(1.0)

        @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
        def add(self, by: Any) -> Any:
            self.count.assign_add(by)
            tf.print("now", self.count)
            return self.count

    counter = Counter()
    counter.add(tf.constant(2.0))
    tf.saved_model.save(counter, str(tmp_path / "counter"))
    counter.add(tf.constant(1.0))
    jax.effects_barrier()
    assert capfd.readouterr().err.splitlines() == ["now 3", "now 4"]


def test_what_a_file_gives_of_64_bits_are_tensors(tmp_path: Path) -> None:
    class Best(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
        def of(self, x: Any) -> Any:
            return {"best": tf.argmax(x, axis=1), "exact": tf.cast(x, tf.float64) / 3.0}

    tf.saved_model.save(Best(), str(tmp_path / "best"))
    found = tf.saved_model.load(str(tmp_path / "best")).of(tf.constant([[1.0, 3.0, 2.0]]))
    assert found["best"].numpy().tolist() == [1] and found["best"].dtype == tf.int64
    assert found["exact"].numpy().tolist() == [[1 / 3, 1.0, 2 / 3]]
