"""What `compile` takes: every form gives the names and numbers that Keras gives, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import NacreError
from tests.cases.compile_forms import (
    FORMS,
    STRUCTURES,
    TARGETS,
    WEIGHTS,
    Form,
    X,
    arrays_in,
    gap,
    model_of,
    squared,
)

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "reference" / "compile_forms.json").read_text(encoding="utf-8")
)
REFUSED_HERE = {
    "loss one two in a list": "Keras takes the first and says nothing of the second",
    "loss list too short": "Keras leaves the other outputs without a loss",
    "loss_weights unknown key": "Keras pairs weights and losses whatever the keys are",
    "loss one none": "there is nothing to report",
}
REFUSED_BY_BOTH = (
    "loss one wrong key", "loss one two keys", "loss one empty list", "loss one empty dict",
    "loss one list of none", "loss one key of none", "loss list too long", "loss unknown key",
    "loss dict model, layer names", "y dict, name, one only", "y missing", "y unknown",
    "metric without a target", "metrics unknown key", "loss_weights list too short",
    "loss_weights list too long", "sample_weight pair, unknown key", "sample_weight pair, three",
    "weighted_metrics one loss object",
)  # fmt: skip
UNLIKE_KERAS = {
    "own class, loss pair, name": "two losses of one name: Keras logs one of them",
    "own class, loss dict of lists, name": "likewise",
    "own class, metrics pair": "likewise",
    "own class, metrics dict of lists": "likewise",
    "y alone, list loss": "Keras pairs rows with outputs",
    "y alone, none first": "likewise",
}


def result_at_once(form: Form) -> dict[str, float]:
    """What `evaluate` reports, without compiling a step: name -> number in order."""
    model = model_of(nacre, form.structure, form.own_class)
    model.compile("sgd", **form.given(nacre))
    return reported(model, form)


def reported(model: Any, form: Form) -> dict[str, float]:
    y = arrays_in(STRUCTURES[form.structure] if form.y is None else form.y, TARGETS)
    weights = arrays_in(form.weights, WEIGHTS)
    y_pred = model(X)
    loss = model.compute_loss(X, y, y_pred, weights, training=False)
    logs = model.compute_metrics(X, y, y_pred, weights) | {"loss": loss}
    return {name: float(value) for name, value in logs.items()}


@pytest.mark.parametrize("name", [n for n, r in REFERENCE.items() if "logs" in r])
def test_a_form_reports_what_keras_reports(name: str) -> None:
    if name in REFUSED_HERE:
        with pytest.raises(NacreError):
            result_at_once(FORMS[name])
        return
    found = result_at_once(FORMS[name])
    expected = dict(REFERENCE[name]["logs"])
    if name in UNLIKE_KERAS:
        assert found.keys() >= expected.keys()
        return
    assert list(found) == REFERENCE[name]["order"]
    assert found == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("name", [n for n, r in REFERENCE.items() if "refused" in r])
def test_a_form_that_keras_refuses_is_reported_by_name_or_refused_in_words(name: str) -> None:
    if name in REFUSED_BY_BOTH:
        with pytest.raises(NacreError, match=r"(?s)Got .*\."):
            result_at_once(FORMS[name])
        return
    found = result_at_once(FORMS[name])
    assert next(iter(found)) == "loss"
    assert all(np.isfinite(value) for value in found.values())


# -------------------------------------------------------------------- through the doors


def nested() -> Any:
    model = model_of(nacre, "dict of lists")
    model.compile(
        nacre.optimizers.SGD(0.1),
        {"u": ["mse", None], "v": "mae"},
        metrics={"u": [None, "mae"], "v": ["mse"]},
        weighted_metrics={"v": ["mse"]},
    )
    return model


NESTED = ["b_mae", "c_mse", "c_weighted_mse", "loss", "u/a_loss", "v_loss"]
NESTED_Y = arrays_in(STRUCTURES["dict of lists"], TARGETS)


def test_logs_are_sorted_by_name_everywhere_as_in_keras() -> None:
    model = nested()
    seen: list[list[str]] = []
    watch = nacre.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(list(logs))
    )
    history = model.fit(
        X, NESTED_Y, verbose=0, validation_data=(X, NESTED_Y), callbacks=[watch]
    ).history
    assert list(history) == [*NESTED, *(f"val_{name}" for name in NESTED)]
    assert seen[0] == NESTED
    assert list(model.evaluate(X, NESTED_Y, verbose=0, return_dict=True)) == NESTED
    assert list(model.train_on_batch(X, NESTED_Y, return_dict=True)) == NESTED
    assert list(model.test_on_batch(X, NESTED_Y, return_dict=True)) == NESTED


def test_lists_of_results_are_in_the_order_of_metrics_names_the_loss_first() -> None:
    model = nested()
    numbers = model.evaluate(X, NESTED_Y, verbose=0)
    by_name = model.evaluate(X, NESTED_Y, verbose=0, return_dict=True)
    names = ["loss", "b_mae", "c_mse", "c_weighted_mse", "u/a_loss", "v_loss"]
    assert model.metrics_names == names
    assert numbers == [by_name[name] for name in names]
    assert model.test_on_batch(X, NESTED_Y) == pytest.approx(numbers)
    assert len(model.metrics) == len(names)
    assert model.metrics[0].name == "loss"


def test_outputs_without_a_loss_need_no_targets() -> None:
    whole = model_of(nacre, "pair")
    whole.compile(nacre.optimizers.SGD(0.1), ["mse", None])
    expected = whole.fit(X, [TARGETS["a"], TARGETS["b"]], verbose=0).history["loss"]
    for y in ({"a": TARGETS["a"]}, [TARGETS["a"], None], [TARGETS["a"]], TARGETS["a"]):
        model = model_of(nacre, "pair")
        model.compile(nacre.optimizers.SGD(0.1), ["mse", None])
        assert model.fit(X, y, verbose=0).history == {"loss": pytest.approx(expected)}


def test_a_metric_of_predictions_alone_needs_no_targets() -> None:
    class Alone(nacre.Model):
        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            return nacre.ops.mean(y_pred)

    x = nacre.Input((3,))
    model = Alone(x, nacre.layers.Dense(1, kernel_initializer="ones")(x))
    model.compile("sgd", metrics=[lambda y_true, y_pred: nacre.ops.mean(y_pred, axis=-1)])
    logs = model.evaluate(X, verbose=0, return_dict=True)
    assert logs["lambda"] == pytest.approx(logs["loss"])
    model.compile("sgd", metrics=["mae"])
    with pytest.raises(NacreError, match="metric 'mae' of output 'dense.*': targets must be given"):
        model.evaluate(X, verbose=0)


def test_a_list_for_some_outputs_follows_their_order_and_is_refused_beside_names() -> None:
    short = Form("three", lambda keras: {"loss": ["mse", None, "mse"]}, ["a", "c"])
    assert result_at_once(short).keys() == {"loss", "a_loss", "c_loss"}
    named = Form("three", lambda keras: {"loss": {"c": "mse", "a": "mse"}}, ["a", "c"])
    with pytest.raises(NacreError, match=r"y must have one array an output.*dict by name"):
        result_at_once(named)


# -------------------------------------------------------------------- in files


@pytest.mark.parametrize(
    "name",
    [
        "loss list of lists", "loss dict of a list and a function", "loss list with none",
        "loss dict of lists, none in it", "loss list of dicts, nested", "loss one class",
        "metrics dict of lists, deeper", "metrics dict of functions", "metrics one class",
        "metrics one same object kind twice", "weighted_metrics one class",
        "loss_weights dict of lists",
    ],
)  # fmt: skip
def test_a_form_comes_back_from_its_config(name: str) -> None:
    form = FORMS[name]
    model = model_of(nacre, form.structure)
    model.compile("sgd", **form.given(nacre))
    config = json.loads(json.dumps(model.get_compile_config()))
    own = {fn.__name__: fn for fn in (squared(nacre), gap(nacre))}
    with nacre.saving.custom_object_scope(own):
        again = model_of(nacre, form.structure)
        again.compile_from_config(config)
    assert reported(again, form) == reported(model, form)


@pytest.mark.parametrize("name", ["metrics dict of lists, deeper", "loss list of dicts, part"])
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_structures_come_back_from_files(name: str, ending: str, tmp_path: Path) -> None:
    form = FORMS[name]
    model = model_of(nacre, form.structure)
    model.compile("sgd", **form.given(nacre))
    expected = reported(model, form)
    model.save(tmp_path / f"model.{ending}")
    with nacre.saving.custom_object_scope({"squared_gap": squared(nacre)}):
        again = nacre.models.load_model(tmp_path / f"model.{ending}")
    assert reported(again, form) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["loss one partial", "metrics one callable object"])
def test_what_has_no_name_is_left_out_of_files_with_a_warning(name: str) -> None:
    model = model_of(nacre, "one")
    model.compile("sgd", **FORMS[name].given(nacre))
    with pytest.warns(UserWarning, match="a function in a file must have a name"):
        assert model.get_compile_config() is None


# -------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("structure", "given", "y", "words"),
    [
        ("pair", {"loss": {"a": "mse", "bb": "mse"}}, None,
         r"compile: keys of loss must be names of outputs: \['a', 'b'\].*unknown: \['bb'\]. "
         r"Did you mean 'bb' -> 'b'"),
        ("dict of lists", {"loss": {"w": "mse"}}, None, r"\{'u': \['a', 'b'\], 'v': 'c'\}"),
        ("pair", {"loss": ["mse"]}, None, r"loss must have one entry an output.*Got 1 entry"),
        ("dict of lists", {"loss": {"u": ["mse"]}}, None, r"output: \['a', 'b'\]. Got 1 entry"),
        ("pair", {"loss": "mse", "metrics": {"z": "mae"}}, None, "keys of metrics must be"),
        ("pair", {"loss": "mse", "loss_weights": {"z": 1.0}}, None, "keys of loss_weights must"),
        ("pair", {"loss": "mse"}, {"a": "a"}, "loss of output 'b': targets must be given.*Add y"),
        ("pair", {"loss": {"a": "mse"}, "metrics": {"b": "mae"}}, {"a": "a"},
         "metric 'b_mae' of output 'b': targets must be given"),
        ("pair", {"loss": "mse"}, ["b", "a"], "output 'a', loss .*targets must have"),
        ("pair", {"loss": "mse"}, "a", "y must have one array an output"),
    ],
)  # fmt: skip
def test_what_fits_no_output_is_refused_by_name(
    structure: str, given: dict[str, Any], y: Any, words: str
) -> None:
    with pytest.raises(NacreError, match=f"(?s){words}"):
        result_at_once(Form(structure, lambda keras: given, y))


def test_weights_of_the_wrong_shape_are_refused_with_their_output() -> None:
    model = model_of(nacre, "pair")
    model.compile("sgd", "mse")
    y = [TARGETS["a"], TARGETS["b"]]
    with pytest.raises(NacreError, match=r"output 'b', loss .*sample_weight.*Got shape \(6, 3\)"):
        model.compute_loss(X, y, model(X), [np.ones(6), np.ones((6, 3))])


# -------------------------------------------------------------------- weights that move


def still(loss_weights: Any) -> Any:
    model = model_of(nacre, "pair")
    model.compile(nacre.optimizers.SGD(0.0), ["mse", "mse"], loss_weights=loss_weights)
    return model


Y = [TARGETS["a"], TARGETS["b"]]
ALONE = 0.2606803


def test_a_schedule_as_loss_weight_counts_updates() -> None:
    steps = nacre.optimizers.schedules.PiecewiseConstantDecay([2], [1.0, 100.0])
    losses = still([steps, 0.0]).fit(X, Y, epochs=5, batch_size=6, verbose=0).history["loss"]
    assert losses == pytest.approx([ALONE] * 3 + [100 * ALONE] * 2, rel=1e-4)


def test_a_function_as_loss_weight_is_followed_when_what_it_reads_changes() -> None:
    beta, held = nacre.Variable(1.0), {"beta": 1.0}
    model = still([lambda: beta * held["beta"], 0.0])

    def raised(epoch: int, logs: Any) -> None:
        if epoch == 1:
            held["beta"] = 10.0
        beta.assign(1.0 + epoch)

    watch = nacre.callbacks.LambdaCallback(on_epoch_begin=raised)
    history = model.fit(X, Y, epochs=3, batch_size=6, verbose=0, callbacks=[watch]).history
    assert history["loss"] == pytest.approx([ALONE, 20 * ALONE, 30 * ALONE], rel=1e-4)
