"""Programs of torch.export that write, choose, repeat and keep: the numbers of PyTorch 2.14."""

import json

import numpy as np
import pytest

import nacre
from nacre.core.errors import FileFormatError, UnsupportedOpError
from nacre.models import load_model
from tests.export.importers.test_pt2 import FILES, changed


def arrays(name: str, what: str) -> list[np.ndarray]:
    with np.load(FILES / "more.npz") as held:
        names = [f"{name}/{what}_{at}" for at in range(30)]
        return [held[n] for n in names if n in held]


def called(model, name: str) -> list[np.ndarray]:
    given = arrays(name, "input")
    found = model(given if len(given) > 1 else given[0])
    return found if isinstance(found, list) else [found]


def compare(found, wanted) -> None:
    for got, other in zip(found, wanted, strict=True):
        got = np.asarray(got)
        assert got.dtype == other.dtype and got.shape == other.shape
        np.testing.assert_allclose(got, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["views", "choosing", "hashing", "rare"])
def test_programs_give_the_numbers_and_dtypes_of_torch(name):
    model = load_model(FILES / f"{name}.pt2")
    compare(called(model, name), arrays(name, "output_0"))
    compare(called(model, name), arrays(name, "output_1"))


def test_what_a_program_keeps_is_changed_by_each_call_and_saved(tmp_path):
    model = load_model(FILES / "moving.pt2")
    compare(called(model, "moving"), arrays("moving", "output_0"))
    model.save(tmp_path / "moving.keras")
    compare(called(load_model(tmp_path / "moving.keras"), "moving"), arrays("moving", "output_1"))
    compare(called(model, "moving"), arrays("moving", "output_1"))
    kept = sorted(weight.name for weight in model.non_trainable_weights)
    assert kept == ["calls", "norm.num_batches_tracked", "norm.running_mean", "norm.running_var"]
    assert model.imported._by_name["norm.num_batches_tracked"].numpy() == 2


@pytest.mark.float64
@pytest.mark.parametrize("way", ["called", "predicted"])
def test_a_count_of_64_bits_goes_on_past_32_and_is_saved(tmp_path, way):
    model = load_model(FILES / "counting.pt2")
    (x,) = arrays("counting", "input")
    call = model if way == "called" else lambda x: model.predict(x, verbose=0)
    compare(call(x), arrays("counting", "output_0"))
    model.save(tmp_path / "counting.keras")
    compare(call(x), arrays("counting", "output_1"))
    compare(load_model(tmp_path / "counting.keras")(x), arrays("counting", "output_1"))


def test_batch_normalization_in_training_learns_and_its_statistics_move():
    model = load_model(FILES / "moving.pt2")
    around = nacre.Sequential([model, nacre.layers.Lambda(lambda y: y[0])])
    (x,) = arrays("moving", "input")
    before = {w.name: w.numpy() for w in model.weights}
    around.compile("sgd", "mse")
    around.fit(x, np.arange(96.0).reshape(4, 4, 6) % 7, batch_size=4, verbose=0)
    moved = {w.name: not np.allclose(w.numpy(), before[w.name]) for w in model.weights}
    assert all(moved[name] for name in ("conv.weight", "norm.weight", "norm.running_mean", "calls"))


def test_a_program_that_changes_what_it_does_not_hold_is_refused():
    def change(member: str, content: bytes) -> bytes:
        if not member.endswith("model.json"):
            return content
        program = json.loads(content)
        specs = program["graph_module"]["signature"]["output_specs"]
        specs.append({"buffer_mutation": {"arg": {"name": "linear"}, "buffer_name": "b"}})
        return json.dumps(program).encode()

    with pytest.raises(FileFormatError, match="'b'"):
        load_model(changed("residual", change))


def test_what_may_be_a_copy_is_not_guessed():
    def change(member: str, content: bytes) -> bytes:
        """Views whose strides are those of turned arrays, taken by `reshape`."""
        if not member.endswith("model.json"):
            return content
        program = json.loads(content)
        graph = program["graph_module"]["graph"]
        for node in graph["nodes"]:
            if node["target"] == "torch.ops.aten.view.default":
                node["target"] = "torch.ops.aten.reshape.default"
        for told in graph["tensor_values"].values():
            told["strides"] = told["strides"][::-1]
        return json.dumps(program).encode()

    with pytest.raises(UnsupportedOpError, match="other view.*run_decompositions"):
        load_model(changed("views", change))
