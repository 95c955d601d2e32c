"""An attribute that no compiled code reads costs no program when it is set; one that is read does."""

from __future__ import annotations

import operator
import threading
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core import changes
from nacre.core.registry import register

X = np.linspace(0.0, 1.0, 24, dtype="float32").reshape(8, 3)
Y = X.sum(axis=1, keepdims=True)


class Agent(nacre.Model):
    """A model on which its script keeps books."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = layers.Dense(1, kernel_initializer="ones")
        self.scale = 1.0
        self.steps, self.epsilon_now, self.journal, self.best = 0, 1.0, [], None
        self.traces = 0

    def call(self, inputs: Any) -> Any:
        self.traces += 1
        return self.dense(inputs) * self.scale

    def keep_books(self) -> None:
        self.steps += 1
        self.epsilon_now *= 0.99
        self.journal.append(float(self.steps))
        self.best = self.get_weights()
        self.best_seen_at = self.steps


def made() -> Agent:
    nacre.utils.set_random_seed(1)
    agent = Agent()
    agent.compile("sgd", "mse")
    return agent


RUNS = {
    "fit": lambda m: m.fit(X, Y, batch_size=4, verbose=0),
    "fit of one batch": lambda m: m.fit(X, Y, verbose=0),
    "train_on_batch": lambda m: m.train_on_batch(X, Y),
    "predict": lambda m: m.predict(X, verbose=0),
    "evaluate": lambda m: m.evaluate(X, Y, verbose=0),
}


@pytest.mark.parametrize("name", RUNS)
def test_books_kept_on_a_model_make_no_programs(name: str) -> None:
    agent, run = made(), RUNS[name]
    run(agent)
    agent.keep_books()
    run(agent)
    traced = agent.traces
    for _ in range(4):
        agent.keep_books()
        run(agent)
    assert agent.traces == traced


def is_looking() -> bool:
    return "__getattribute__" in vars(changes.Versioned)


@pytest.mark.parametrize("name", RUNS)
def test_reads_are_looked_at_until_a_program_needs_no_trace(name: str) -> None:
    agent, run = made(), RUNS[name]
    run(agent)
    agent.keep_books()
    run(agent)
    run(agent)
    assert not is_looking()
    Branches()(nacre.Input((3,)))
    assert is_looking()  # the next layer of a model that is being built needs no new beginning
    agent.keep_books()  # what a script itself reads meanwhile counts for nothing
    traced = agent.traces
    run(agent)
    assert agent.traces == traced
    assert not is_looking()


@pytest.mark.parametrize("name", ["predict", "evaluate"])
def test_an_attribute_that_is_read_makes_one(name: str) -> None:
    agent, run = made(), RUNS[name]
    before = run(agent)
    agent.keep_books()
    agent.scale = 3.0
    after = run(agent)
    assert not np.allclose(before, after)
    agent.scale = 1.0
    np.testing.assert_allclose(run(agent), before)
    traced = agent.traces
    agent.scale = 3.0
    np.testing.assert_allclose(run(agent), after)
    assert agent.traces == traced  # both are kept


class Branches(layers.Layer):
    """Reads `shift` where it is switched on alone, and for wide inputs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shifts, self.shift = False, 0.0

    def call(self, inputs: Any) -> Any:
        if self.shifts or inputs.shape[-1] > 3:
            return inputs + self.shift
        return inputs * 1.0


def test_what_is_read_later_only_holds_from_then_on() -> None:
    layer = Branches()
    inputs = nacre.Input((None,))
    model = nacre.Model(inputs, layer(inputs))
    wide = np.zeros((2, 5), "float32")

    def predicted(x: Any) -> float:
        return float(model.predict(x, verbose=0)[0, 0])

    assert predicted(X) == 0.0
    layer.shift = 1.0  # nothing has read it
    assert predicted(X) == 0.0
    assert predicted(wide) == 1.0  # read for the first time
    layer.shift = 2.0
    assert predicted(wide) == 2.0
    layer.shift = 0.0
    assert predicted(wide) == 0.0
    layer.shift = 1.0
    assert predicted(wide) == 1.0
    layer.shifts = True
    assert predicted(X) == 1.0
    layer.shift = 7.0
    assert predicted(X) == 7.0


def test_values_before_the_first_read_are_no_states_of_their_own() -> None:
    layer = Branches()
    inputs = nacre.Input((None,))
    model = nacre.Model(inputs, layer(inputs))
    wide = np.zeros((2, 5), "float32")
    model.predict(X, verbose=0)  # noted with a shift of 0, which it does not read
    layer.shift = 4.0
    assert model.predict(wide, verbose=0)[0, 0] == 4.0
    layer.shift = 0.0
    assert model.predict(wide, verbose=0)[0, 0] == 0.0  # not what was traced with 4


class Loss(nacre.losses.Loss):
    def __init__(self) -> None:
        super().__init__()
        self.weight, self.calls_seen = 1.0, 0

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.weight * ops.mean(ops.square(y_true - y_pred), axis=-1)


def test_losses_keep_books_too() -> None:
    agent, loss = made(), Loss()
    agent.compile("sgd", loss)
    first = agent.evaluate(X, Y, verbose=0)
    traced = agent.traces
    loss.calls_seen += 1
    assert agent.evaluate(X, Y, verbose=0) == first and agent.traces == traced
    loss.weight = 2.0
    np.testing.assert_allclose(agent.evaluate(X, Y, verbose=0), 2 * first, rtol=1e-6)


class Scales(layers.Layer):
    """Has a number, which each of the layers below reads in a way of its own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.amount = 1.0


class ByName(Scales):
    def call(self, inputs: Any) -> Any:
        return inputs * self.amount


class ByText(Scales):
    def call(self, inputs: Any) -> Any:
        return inputs * getattr(self, "amo" + "unt")


class ByGetter(Scales):
    def call(self, inputs: Any) -> Any:
        return inputs * operator.attrgetter("amount")(self)


class ByVars(Scales):
    def call(self, inputs: Any) -> Any:
        return inputs * vars(self)["amount"]


class ByDict(Scales):
    def call(self, inputs: Any) -> Any:
        return inputs * self.__dict__["amount"]


def its_dict(owner: Any) -> dict[str, Any]:
    return vars(owner)


class ByDictElsewhere(Scales):
    def call(self, inputs: Any) -> Any:
        return inputs * its_dict(self)["amount"]


class ByProperty(Scales):
    @property
    def factor(self) -> float:
        return self.amount

    def call(self, inputs: Any) -> Any:
        return inputs * self.factor


class BySuper(ByProperty):
    def call(self, inputs: Any) -> Any:
        return super().call(inputs)


class ByOwnLookup(Scales):
    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name)

    def call(self, inputs: Any) -> Any:
        return inputs * self.amount


class Lookup:
    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name)


class ByMixin(Lookup, Scales):
    def call(self, inputs: Any) -> Any:
        return inputs * self.amount


class Helper:
    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def scaled(self, inputs: Any) -> Any:
        return inputs * self.owner.amount


class ByHelper(Scales):
    def __init__(self) -> None:
        super().__init__()
        self.helper = Helper(self)

    def call(self, inputs: Any) -> Any:
        return self.helper.scaled(inputs)


def times_amount(layer: Any, inputs: Any) -> Any:
    return inputs * layer.amount


class ByFunction(Scales):
    def call(self, inputs: Any) -> Any:
        return times_amount(self, inputs)


class InLoop(Scales):
    def call(self, inputs: Any) -> Any:
        return ops.fori_loop(0, 1, lambda _, x: x * self.amount, inputs)


WAYS = [
    ByName, ByText, ByGetter, ByVars, ByDict, ByDictElsewhere,  ByProperty, BySuper,
    ByOwnLookup, ByMixin, ByHelper, ByFunction, InLoop,
]  # fmt: skip


def around(layer: Any) -> nacre.Model:
    inputs = nacre.Input((3,))
    return nacre.Model(inputs, layer(inputs))


@pytest.mark.parametrize("way", WAYS)
def test_however_it_is_read_it_counts(way: type[Scales]) -> None:
    layer = way()
    model = around(layer)
    for amount in (1.0, 2.0, 1.0, 5.0):
        layer.amount = amount
        np.testing.assert_allclose(model.predict(X, verbose=0), amount * X, rtol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_read_later_counts_from_its_value_then(way: type[Scales]) -> None:
    class Later(way):  # type: ignore[misc, valid-type]
        def call(self, inputs: Any) -> Any:
            return inputs * 1.0 if inputs.shape[0] < 8 else super().call(inputs)

    layer = Later()
    model = around(layer)
    model.predict(X[:4], verbose=0)
    for amount in (3.0, 4.0):
        layer.amount = amount
        np.testing.assert_allclose(model.predict(X[:4], verbose=0), X[:4])
    for amount in (4.0, 1.0, 3.0, 4.0):
        layer.amount = amount
        np.testing.assert_allclose(model.predict(X, verbose=0), amount * X, rtol=1e-6)


def test_a_method_that_nacre_calls_outside_of_traces_counts() -> None:
    class Chooses(nacre.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.reports = layers.Dense(1), False
            self.extra = nacre.metrics.Mean(name="extra")

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

        def chosen(self) -> list[Any]:
            return [self.extra] if self.reports else []

        @property
        def metrics(self) -> list[Any]:
            return super().metrics + self.chosen()

    model = Chooses()
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    before = changes.version()
    model.reports = True
    assert changes.version() > before


@pytest.mark.parametrize("name", ["stateful", "return_sequences", "supports_masking", "units"])
def test_what_nacre_itself_asks_layers_for_counts(name: str) -> None:
    layer = Branches()
    setattr(layer, name, 1)
    before = changes.version()
    setattr(layer, name, 0)
    assert changes.version() > before


def test_numbers_set_by_callbacks_and_read_in_the_step_count() -> None:
    class Anneals(nacre.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.model.scale = float(epoch)
            self.model.steps += 1

    agent = made()
    agent.compile(nacre.optimizers.SGD(0.0), "mse")
    found = agent.fit(X, Y, epochs=3, verbose=0, callbacks=[Anneals()]).history["loss"]
    wanted = []
    for scale in range(3):
        agent.scale = float(scale)
        wanted.append(agent.evaluate(X, Y, verbose=0))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_callbacks_keep_books_within_a_fit() -> None:
    class Counts(nacre.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.steps += 1
            self.model.journal.append(logs["loss"])

    agent = made()
    agent.fit(X, Y, batch_size=2, verbose=0, callbacks=[Counts()])
    traced = agent.traces
    agent.fit(X, Y, batch_size=2, epochs=3, verbose=0, callbacks=[Counts()])
    assert agent.steps == 16 and len(agent.journal) == 16 and agent.traces == traced


def test_another_thread_sees_what_is_set() -> None:
    layer = ByName()
    model, found = around(layer), list[Any]()
    model.predict(X, verbose=0)
    for amount in (2.0, 3.0):
        layer.amount = amount
        thread = threading.Thread(target=lambda: found.append(model.predict(X, verbose=0)))
        thread.start()
        thread.join()
    np.testing.assert_allclose(found[0], 2 * X, rtol=1e-6)
    np.testing.assert_allclose(found[1], 3 * X, rtol=1e-6)


def test_two_objects_of_a_class_have_values_of_their_own() -> None:
    one, other = ByName(), ByName()
    first, second = around(one), around(other)
    first.predict(X, verbose=0)
    other.amount = 2.0
    np.testing.assert_allclose(second.predict(X, verbose=0), 2 * X, rtol=1e-6)
    np.testing.assert_allclose(first.predict(X, verbose=0), X)


def test_code_that_is_put_in_later_counts() -> None:
    class Patched(Scales):
        def call(self, inputs: Any) -> Any:
            return inputs * 1.0

    layer = Patched()
    model = around(layer)
    model.predict(X, verbose=0)
    layer.amount = 2.0
    np.testing.assert_allclose(model.predict(X, verbose=0), X)
    Patched.call = lambda self, inputs: inputs * self.amount  # type: ignore[method-assign]
    for amount in (2.0, 3.0, 2.0):
        layer.amount = amount
        np.testing.assert_allclose(model.predict(X, verbose=0), amount * X, rtol=1e-6)


@register("tests/AttributesRead")
class Saved(Scales):
    def call(self, inputs: Any) -> Any:
        return inputs * self.amount


def test_it_counts_in_a_model_that_was_opened(tmp_path: Any) -> None:
    around(Saved(name="scales")).save(tmp_path / "model.keras")
    model = nacre.models.load_model(tmp_path / "model.keras", custom_objects={"Saved": Saved})
    for amount in (1.0, 2.0, 1.0):
        model.get_layer("scales").amount = amount
        np.testing.assert_allclose(model.predict(X, verbose=0), amount * X, rtol=1e-6)


def test_classes_are_left_as_they_were() -> None:
    model = around(ByName())
    for _ in range(2):
        model.predict(X, verbose=0)
    assert not is_looking()


class Grows(nacre.Model):
    """Keeps layers in a list that only a loop over another name reads."""

    def __init__(self) -> None:
        super().__init__()
        self.extras: list[Any] = []
        self.dense = layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


def test_layers_put_into_a_list_nobody_reads_are_found() -> None:
    model = Grows()
    model.compile("sgd", "mse")
    model.predict(X, verbose=0)
    model.extras.append(layers.Dense(2))
    model.extras[0].build((None, 3))
    assert len(model.variables) == 4
    model.extras.clear()
    assert len(model.variables) == 2


class Listing(Agent):
    """Its code asks for an attribute by name, and has a text that is none."""

    def call(self, inputs: Any) -> Any:
        self.found = [getattr(self, "scale", 1.0), "*"]
        return super().call(inputs)


def test_a_pattern_beside_getattr_is_no_attribute() -> None:
    nacre.utils.set_random_seed(1)
    agent = Listing()
    agent.compile("sgd", "mse")
    for _ in range(2):
        agent.fit(X, Y, batch_size=4, verbose=0)
        agent.keep_books()
    traced = agent.traces
    for _ in range(3):
        agent.keep_books()
        agent.fit(X, Y, batch_size=4, verbose=0)
    assert agent.traces == traced
