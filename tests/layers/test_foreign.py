"""Functions in JAX, modules of Flax and of PyTorch as layers: called, trained, saved, refused."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, SerializationError, ShapeError

rng = np.random.default_rng(0)
X = rng.normal(size=(64, 4)).astype("float32")
Y = X @ rng.normal(size=(4, 1)).astype("float32")


def affine(params, inputs):
    return inputs @ params["kernel"] + params["bias"]


def affine_init(rng, inputs):
    kernel = jax.random.normal(rng, (inputs.shape[-1], 3))
    return {"kernel": kernel, "bias": jnp.zeros(3)}


def counted(params, state, inputs, training):
    step = jnp.where(training, 1, 0)
    return inputs * params["scale"], {"calls": state["calls"] + step}


def trained(layer, epochs=20):
    """A model around a layer, trained on a linear task; the loss must fall."""
    model = nacre.Sequential([nacre.Input((4,)), layer, layers.Dense(1)])
    model.compile(nacre.optimizers.Adam(0.02), "mse")
    losses = model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0], losses
    return model


# ------------------------------------------------------------------------------- functions


def test_a_function_is_trained_as_a_layer_of_the_same_formula_is():
    layer = layers.JaxLayer(affine, affine_init, seed=1)
    dense = layers.Dense(3)
    layer(X), dense(X)
    assert [w.name for w in layer.weights] == ["bias", "kernel"]
    dense.set_weights([layer.weights[1].numpy(), layer.weights[0].numpy()])
    np.testing.assert_allclose(layer(X), dense(X), rtol=1e-6)
    models = [nacre.Sequential([nacre.Input((4,)), one]) for one in (layer, dense)]
    for model in models:
        model.compile("sgd", "mse")
        model.fit(X, np.tile(Y, 3), batch_size=16, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_allclose(models[0](X), models[1](X), rtol=1e-5, atol=1e-6)


def test_the_seed_repeats_first_weights_and_random_numbers():
    def noisy(params, rng, inputs):
        return inputs + jax.random.normal(rng, inputs.shape)

    def pair():
        first = layers.JaxLayer(affine, affine_init, seed=3)
        return first(X), layers.JaxLayer(noisy, params={}, seed=4)(X)

    for one, other in zip(pair(), pair(), strict=True):
        np.testing.assert_array_equal(one, other)
    layer = layers.JaxLayer(noisy, params={}, seed=4)
    assert np.abs(np.asarray(layer(X)) - np.asarray(layer(X))).max() > 0.1


def test_state_is_kept_through_training():
    layer = layers.JaxLayer(counted, params={"scale": 2.0}, state={"calls": 0})
    model = trained(layer, epochs=5)
    assert [w.trainable for w in layer.weights] == [True, False]
    assert layer.state["calls"].numpy() == 5 * 4
    assert layer.state["calls"].dtype == "int32"
    before = layer.state["calls"].numpy()
    model.predict(X, verbose=0)
    assert layer.state["calls"].numpy() == before


def test_tokens_reach_the_first_weights_as_ints():
    def look_up(params, inputs):
        return params[inputs]

    def init(rng, inputs):
        assert jnp.issubdtype(inputs.dtype, jnp.integer)
        return jnp.zeros((10, 3))

    tokens = nacre.Input((None,), dtype="int32")
    assert layers.JaxLayer(look_up, init)(tokens).shape == (None, None, 3)


def test_a_saved_function_comes_back_with_its_weights(tmp_path):
    stateful = layers.JaxLayer(counted, params={"scale": 2.0}, state={"calls": 0})
    model = nacre.Sequential([nacre.Input((4,)), layers.JaxLayer(affine, affine_init), stateful])
    model.compile("sgd", "mse")
    model.fit(X, np.tile(Y, 3), verbose=0)
    model.save(tmp_path / "m.keras")
    names = {"affine": affine, "affine_init": affine_init, "counted": counted}
    again = nacre.models.load_model(tmp_path / "m.keras", custom_objects=names)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    assert again.layers[1].state["calls"].numpy() == stateful.state["calls"].numpy() > 0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: layers.JaxLayer(affine), "init_fn, or params and state"),
        (lambda: layers.JaxLayer(lambda params: 1, affine_init), "take 'inputs'"),
        (lambda: layers.JaxLayer(lambda inputs, masks: 1, affine_init), "inputs, masks"),
        (lambda: layers.JaxLayer(affine, lambda rng, shape: 1), "init_fn must name"),
        (lambda: layers.JaxLayer(affine, params={"kernel": "ones"}), "'ones' at ['kernel']"),
        (lambda: layers.JaxLayer(lambda state, inputs: inputs, state={"n": 0})(X), "must return"),
    ],
)
def test_functions_that_do_not_fit_are_refused(make, text):
    with pytest.raises(ArgumentError) as error:
        make()
    assert text in str(error.value)


def test_mixed_precision_reads_the_weights_in_the_compute_dtype():
    layer = layers.JaxLayer(affine, affine_init, dtype="mixed_bfloat16")
    assert layer(X).dtype == "bfloat16"
    assert {w.dtype for w in layer.weights} == {"float32"}


# ------------------------------------------------------------------------------- Flax


def flax_modules():
    linen = pytest.importorskip("flax.linen", reason="flax is not installed")

    class Block(linen.Module):
        features: int

        @linen.compact
        def __call__(self, inputs, training):
            x = linen.Dense(self.features)(inputs)
            x = linen.BatchNorm(use_running_average=not training, momentum=0.9)(x)
            return linen.Dropout(0.1, deterministic=not training)(linen.relu(x))

    return linen, Block


def test_a_flax_module_is_trained_and_its_statistics_move():
    _, block = flax_modules()
    layer = layers.FlaxLayer(block(8), seed=0)
    model = trained(layer)
    assert len(layer.trainable_weights) == 4 and len(layer.non_trainable_weights) == 2
    assert np.abs(layer.state["batch_stats"]["BatchNorm_0"]["mean"].numpy()).max() > 0
    np.testing.assert_array_equal(model.predict(X, verbose=0), model.predict(X, verbose=0))
    variables = {"params": jax.tree.map(lambda v: v.value, layer.params)}
    variables |= jax.tree.map(lambda v: v.value, layer.state)
    expected = layer.module.apply(variables, X, training=False)
    np.testing.assert_allclose(layer(X, training=False), expected, rtol=1e-5, atol=1e-6)


def test_a_flax_module_is_saved_by_its_fields_without_code(tmp_path):
    _, block = flax_modules()
    model = nacre.Sequential([nacre.Input((4,)), layers.FlaxLayer(block(8)), layers.Dense(1)])
    model.save(tmp_path / "m.keras")
    again = nacre.models.load_model(tmp_path / "m.keras", custom_objects={"Block": block})
    assert again.layers[0].module.features == 8
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    with pytest.raises(SerializationError, match="custom_objects"):
        nacre.models.load_model(tmp_path / "m.keras")


def test_flax_variables_may_be_given_and_a_method_chosen():
    linen, _ = flax_modules()
    module = linen.Dense(3)
    variables = module.init(jax.random.key(0), X)
    layer = layers.FlaxLayer(module, variables=variables)
    np.testing.assert_allclose(layer(X), module.apply(variables, X), rtol=1e-6)
    doubled = layers.FlaxLayer(module, method=lambda m, inputs: 2 * m(inputs), variables=variables)
    np.testing.assert_allclose(doubled(X), 2 * layer(X), rtol=1e-6)
    with pytest.raises(ArgumentError, match="must take 'inputs'"):
        layers.FlaxLayer(linen.BatchNorm())
    with pytest.raises(ArgumentError, match=r"flax\.linen\.Module"):
        layers.FlaxLayer(affine)


# ------------------------------------------------------------------------------- PyTorch


def pytorch():
    return pytest.importorskip("torch", reason="torch is not installed")


def torch_block(torch):
    nn = torch.nn
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1))


def test_a_torch_module_gives_what_torch_gives():
    torch = pytorch()
    module = torch_block(torch).eval()
    layer = layers.TorchModuleWrapper(module)
    with torch.no_grad():
        expected = module(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(layer(X), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda x: layer(x))(X), expected, rtol=1e-5, atol=1e-6)
    assert layer(nacre.Input((4,))).shape == (None, 8)


def test_gradients_through_a_torch_module_are_torchs():
    torch = pytorch()
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh())
    layer = layers.TorchModuleWrapper(module)

    def loss(values, x):
        return (layer.stateless_call(values, layer.non_trainable_variables, x)[0] ** 2).sum()

    found = jax.grad(loss, argnums=(0, 1))([v.value for v in layer.trainable_variables], X)
    x = torch.from_numpy(X.copy()).requires_grad_()
    (module(x) ** 2).sum().backward()
    expected = [p.grad.numpy() for p in module.parameters()]
    for one, other in zip([*found[0], found[1]], [*expected, x.grad.numpy()], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_training_in_the_compiled_loop_is_torchs_own_training():
    torch = pytorch()
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8))
    layer = layers.TorchModuleWrapper(module)
    model = nacre.Sequential([nacre.Input((4,)), layer])
    model.compile(nacre.optimizers.SGD(0.1), "mse")
    model.fit(X, np.tile(Y, 8), batch_size=16, epochs=2, shuffle=False, verbose=0)
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    for _ in range(2):
        for i in range(0, 64, 16):
            optimizer.zero_grad()
            outputs = module(torch.from_numpy(X[i : i + 16]))
            ((outputs - torch.from_numpy(Y[i : i + 16])) ** 2).mean().backward()
            optimizer.step()
    state = module.state_dict()
    for name, variable in layer.module_variables().items():
        np.testing.assert_allclose(
            variable.numpy(), state[name].numpy(), rtol=1e-4, atol=1e-5, err_msg=name
        )
    assert int(state["1.num_batches_tracked"]) == 8


def test_dropout_in_a_torch_module_is_the_same_in_both_passes():
    torch = pytorch()
    layer = layers.TorchModuleWrapper(torch.nn.Dropout(0.5))

    def doubled(x):
        outputs = layer(x, training=True)
        return outputs.sum(), outputs

    x = jnp.ones((32, 16))
    slopes, outputs = jax.grad(doubled, has_aux=True)(x)
    np.testing.assert_array_equal(slopes, outputs)
    assert {0.0, 2.0} == set(np.unique(outputs).tolist())
    np.testing.assert_array_equal(layer(x), x)


def test_several_inputs_ints_and_tuples_go_through_torch():
    torch = pytorch()

    class Pair(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(10, 4)

        def forward(self, tokens, x, scale=None):
            rows = self.table(tokens) * x
            return {"rows": rows if scale is None else rows * scale, "tokens": tokens}

    layer = layers.TorchModuleWrapper(Pair())
    tokens = np.arange(64) % 10
    outputs = layer(tokens, X, scale=np.full((64, 1), 3.0, "float32"))
    rows = layer.weights[0].numpy()[tokens] * X * 3
    np.testing.assert_allclose(outputs["rows"], rows, rtol=1e-6)
    np.testing.assert_array_equal(outputs["tokens"], tokens)
    model = nacre.Model(
        inputs := [nacre.Input((), dtype="int32"), nacre.Input((4,))], layer(*inputs)["rows"]
    )
    model.compile("adam", "mse")
    model.fit([tokens, X], np.zeros((64, 4)), verbose=0)


def test_images_with_unknown_sizes_go_through_torch():
    torch = pytorch()
    layer = layers.TorchModuleWrapper(torch.nn.Conv2d(3, 5, 3, stride=2))
    assert layer(nacre.Input((3, None, 32))).shape == (None, 5, None, 15)
    assert layer.compute_output_shape((None, 3, 9, 9)) == (None, 5, 4, 4)


def test_trained_weights_can_be_written_into_the_module():
    torch = pytorch()
    module = torch_block(torch)
    model = trained(layers.TorchModuleWrapper(module))
    layer = model.layers[0]
    with torch.no_grad():
        own = layer.copy_to_module().eval()(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(own, layer(X, training=False), rtol=1e-5, atol=1e-6)


def test_a_saved_torch_module_is_opened_only_when_trusted(tmp_path, monkeypatch):
    torch = pytorch()
    model = nacre.Sequential(
        [nacre.Input((4,)), layers.TorchModuleWrapper(torch_block(torch)), layers.Dense(1)]
    )
    model.save(tmp_path / "m.keras")
    expected = model.predict(X, verbose=0)
    again = nacre.models.load_model(tmp_path / "m.keras")  # this process wrote it
    np.testing.assert_array_equal(again.predict(X, verbose=0), expected)
    from nacre.layers.foreign import torch_module

    monkeypatch.setattr(torch_module, "_written", {})
    with pytest.raises(SerializationError, match=r"safe_mode=False"):
        nacre.models.load_model(tmp_path / "m.keras")
    again = nacre.models.load_model(tmp_path / "m.keras", safe_mode=False)
    np.testing.assert_array_equal(again.predict(X, verbose=0), expected)
    other = nacre.Sequential(
        [nacre.Input((4,)), layers.TorchModuleWrapper(torch_block(torch)), layers.Dense(1)]
    )
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other.predict(X, verbose=0), expected)


def test_torch_modules_that_do_not_fit_are_refused():
    torch = pytorch()
    with pytest.raises(ArgumentError, match=r"torch\.nn\.Module"):
        layers.TorchModuleWrapper(affine)
    with pytest.raises(ArgumentError, match="Call the module once"):
        layers.TorchModuleWrapper(torch.nn.LazyLinear(3))

    class Deciding(torch.nn.Module):
        def forward(self, x):
            return x * 2 if float(x.sum()) > 0 else x

    with pytest.raises(ShapeError, match=r"Pass output_shape="):
        layers.TorchModuleWrapper(Deciding())(X)
    layer = layers.TorchModuleWrapper(Deciding(), output_shape=(None, 4))
    assert layer(nacre.Input((4,))).shape == (None, 4)
    np.testing.assert_array_equal(layer(np.abs(X)), 2 * np.abs(X))


def test_a_frozen_torch_module_is_not_trained():
    torch = pytorch()
    layer = layers.TorchModuleWrapper(torch.nn.Linear(4, 3), trainable=False)
    before = layer.get_weights()
    model = nacre.Sequential([nacre.Input((4,)), layer, layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    for one, other in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
