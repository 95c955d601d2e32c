"""What the base of all optimizers does with its arguments, variables and gradients."""

from __future__ import annotations

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre import optimizers
from nacre.core.errors import (
    ArgumentError,
    NotBuiltError,
    UnknownNameError,
    WeightsMismatchError,
)
from nacre.core.names import name_scope
from nacre.core.variable import Variable
from nacre.optimizers import SGD, Adam, Optimizer, schedules


def weight(values=(1.0, 2.0), name="weight"):
    return Variable(np.array(values, "float32"), name=name)


def test_lr_is_the_learning_rate():
    assert float(Adam(lr=0.5).learning_rate) == 0.5
    optimizer = SGD(0.1)
    optimizer.lr = 0.25
    assert float(optimizer.learning_rate) == 0.25


def test_decay_is_inverse_time_decay():
    optimizer = SGD(learning_rate=0.1, decay=1.0)
    own = weight()
    optimizer.apply([jnp.zeros(2)], [own])
    assert float(optimizer.learning_rate) == pytest.approx(0.05)


def test_decay_zero_and_keys_of_old_configs_change_nothing():
    config = {"name": "SGD", "lr": 0.1, "decay": 0.0, "jit_compile": False, "momentum": 0.9}
    optimizer = SGD.from_config({**config, "is_legacy_optimizer": False})
    assert float(optimizer.learning_rate) == pytest.approx(0.1) and optimizer.momentum == 0.9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"momentun": 0.9}, "Did you mean 'momentum'"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "only one of clipnorm, clipvalue"),
        ({"clipnorm": -1.0}, "clipnorm must be positive"),
        ({"use_ema": True, "ema_momentum": 2.0}, "ema_momentum must be from 0 to 1"),
        ({"use_ema": True, "ema_overwrite_frequency": 0}, "ema_overwrite_frequency"),
        ({"gradient_accumulation_steps": 1}, "gradient_accumulation_steps must be an int"),
        ({"momentum": 2.0}, "momentum must be a number from 0 to 1"),
        ({"learning_rate": "fast"}, "learning_rate must be a number"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        SGD(**arguments)


def test_learning_rate_of_a_schedule_cannot_be_set():
    optimizer = SGD(schedules.ExponentialDecay(0.1, 10, 0.9))
    with pytest.raises(ArgumentError, match="assign another schedule"):
        optimizer.learning_rate = 0.1
    optimizer.learning_rate = schedules.ExponentialDecay(0.5, 10, 0.9)
    assert float(optimizer.learning_rate) == 0.5


def test_new_learning_rate_needs_no_new_program():
    optimizer, own, traces = SGD(1.0), weight(), []
    optimizer.build([own])

    @jax.jit
    def step(state, parameters):
        traces.append(1)
        return optimizer.stateless_apply(state, [jnp.ones(2)], parameters)

    for rate in (1.0, 0.5):
        optimizer.learning_rate = rate
        new, _ = step([v.value for v in optimizer.variables], [own.value])
        np.testing.assert_allclose(new[0], own.numpy() - rate)
    assert len(traces) == 1


def test_callable_learning_rate_is_asked_each_time():
    rates, own = iter([1.0, 0.5]), weight()
    optimizer = SGD(lambda: next(rates))
    for _ in range(2):
        optimizer.apply([jnp.ones(2)], [own])
    np.testing.assert_allclose(own.numpy(), [-0.5, 0.5])


def test_names_follow_the_path_of_the_variable():
    with name_scope("dense"):
        kernel = Variable(np.ones((2, 2)), name="kernel")
    optimizer = Adam(name="adam")
    optimizer.build([kernel])
    assert [v.path for v in optimizer.variables] == [
        "adam/iteration",
        "adam/learning_rate",
        "adam/dense_kernel_momentum",
        "adam/dense_kernel_velocity",
    ]


def test_unknown_variable_is_named():
    optimizer, own = SGD(), weight()
    optimizer.build([own])
    with pytest.raises(ArgumentError, match="'stranger'.*Make a new optimizer"):
        optimizer.apply([jnp.ones(2)], [weight(name="stranger")])


def test_part_of_the_variables_may_be_updated():
    optimizer, a, b = SGD(1.0), weight(name="a"), weight(name="b")
    optimizer.build([a, b])
    optimizer.apply([jnp.ones(2)], [b])
    np.testing.assert_allclose(a.numpy(), [1, 2])
    np.testing.assert_allclose(b.numpy(), [0, 1])


def test_gradients_must_match_variables():
    optimizer, own = SGD(), weight()
    with pytest.raises(NotBuiltError, match="first apply"):
        optimizer.apply([jnp.ones(2)])
    with pytest.raises(ArgumentError, match="2 gradients for 1 variables"):
        optimizer.apply([jnp.ones(2)] * 2, [own])
    with pytest.raises(ArgumentError, match="at least one variable must have a gradient"):
        optimizer.apply([None], [own])
    with pytest.raises(NotBuiltError, match="build"):
        SGD().stateless_apply([], [], [])


def test_clipping():
    long = [jnp.array([3.0, 4.0]), None, jnp.array([0.0, 12.0])]
    clip = optimizers.gradients
    a, b, c = clip.clip_by_norm(long, 1.0)
    np.testing.assert_allclose(a, [0.6, 0.8], rtol=1e-6)
    assert b is None
    np.testing.assert_allclose(c, [0.0, 1.0], rtol=1e-6)
    np.testing.assert_allclose(clip.clip_by_global_norm(long, 6.5)[0], [1.5, 2.0], rtol=1e-6)
    np.testing.assert_allclose(clip.clip_by_value(long, 3.5)[0], [3.0, 3.5])
    np.testing.assert_allclose(clip.clip_by_norm([jnp.zeros(2)], 1.0)[0], [0, 0])


def test_exclusion_from_weight_decay():
    kernel, bias, norm = weight(name="kernel"), weight(name="bias"), weight(name="norm")
    optimizer = SGD(0.1, weight_decay=1.0)
    optimizer.exclude_from_weight_decay(var_list=[norm], var_names=["bia"])
    optimizer.apply([jnp.zeros(2)] * 3, [kernel, bias, norm])
    np.testing.assert_allclose(kernel.numpy(), [0.9, 1.8], rtol=1e-6)
    np.testing.assert_allclose(bias.numpy(), [1, 2])
    np.testing.assert_allclose(norm.numpy(), [1, 2])


def test_exclusion_after_a_step_takes_effect():
    own, optimizer = weight(), SGD(0.1, weight_decay=1.0)
    optimizer.apply([jnp.zeros(2)], [own])
    optimizer.exclude_from_weight_decay(var_list=[own])
    before = own.numpy()
    optimizer.apply([jnp.zeros(2)], [own])
    np.testing.assert_array_equal(own.numpy(), before)


def test_loss_scale_factor_leaves_the_step_as_it_is():
    own, optimizer = weight(), SGD(1.0, loss_scale_factor=4.0)
    assert float(optimizer.scale_loss(2.0)) == 8.0
    optimizer.apply([jnp.full(2, 4.0)], [own])
    np.testing.assert_allclose(own.numpy(), [0, 1])


def test_ema_ends_in_the_variables():
    own, optimizer = weight([1.0]), SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(2):
        optimizer.apply([jnp.ones(1)], [own])
    np.testing.assert_allclose(own.numpy(), [-1.0])
    optimizer.finalize_variable_values([own])
    np.testing.assert_allclose(own.numpy(), [-0.5])  # 0.5 · 0 + 0.5 · -1


def test_saved_state_of_another_optimizer_is_refused():
    own, store = weight(), {}
    sgd, adam = SGD(), Adam()
    sgd.build([own])
    adam.build([own])
    sgd.save_own_variables(store)
    assert list(store) == ["0", "1"]
    with pytest.raises(WeightsMismatchError, match="its 4 variables. Got 2"):
        adam.load_own_variables(store)
    with pytest.raises(WeightsMismatchError, match="shapes"):
        adam.set_weights([0, 0.1, np.ones(3), np.ones(2)])


def test_arrays_read_before_a_step_stay_alive():
    own, optimizer = weight(), Adam()
    optimizer.apply([jnp.ones(2)], [own])
    seen, rate = own.value, optimizer.variables[1].value
    for _ in range(3):
        optimizer.apply([jnp.ones(2)], [own])
    for variable in (own, *optimizer.variables):  # what a training step does with its inputs
        variable.donate().delete()
    np.testing.assert_allclose(seen, [0.999, 1.999], rtol=1e-5)
    assert float(rate) == pytest.approx(0.001)  # a step hands it through unchanged


def test_pickled_optimizer_continues():
    own, optimizer = weight(), Adam(0.1)
    optimizer.apply([jnp.ones(2)], [own])
    again = pickle.loads(pickle.dumps(optimizer))
    assert int(again.iterations) == 1
    np.testing.assert_allclose(again.variables[2].numpy(), optimizer.variables[2].numpy())


def test_minimize_takes_a_function():
    own, optimizer = weight([3.0]), SGD(0.5)
    optimizer.minimize(lambda: jnp.sum(own.value**2), [own])
    np.testing.assert_allclose(own.numpy(), [0.0], atol=1e-6)


def test_muon_without_rms_rate_makes_orthogonal_steps():
    kernel = Variable(np.zeros((8, 3)), name="kernel")
    optimizer = optimizers.Muon(1.0, rms_rate=None, weight_decay=None)
    optimizer.apply([np.random.default_rng(0).normal(size=(8, 3)).astype("float32")], [kernel])
    sizes = np.linalg.svd(kernel.numpy(), compute_uv=False)
    assert ((sizes > 0.6) & (sizes < 1.3)).all()  # five iterations come near 1, not to it


class Plain(Optimizer):
    """A custom optimizer the Keras way."""

    def __init__(self, learning_rate=0.1, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.sums = [self.add_variable_from_reference(v, "sum") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        total = self.sums[self._get_variable_index(variable)]
        self.assign_add(total, gradient)
        self.assign_sub(variable, learning_rate * total.value)


def test_custom_optimizer_in_place_and_compiled():
    own, optimizer = weight(), Plain(1.0)
    for _ in range(2):
        optimizer.apply_gradients([(jnp.ones(2), own)])
    np.testing.assert_allclose(own.numpy(), [-2.0, -1.0])
    pure, values = Plain(1.0), [weight().value]
    pure.build([weight()])
    step = jax.jit(lambda s, p: pure.stateless_apply(s, [jnp.ones(2)], p))
    state = [v.value for v in pure.variables]
    for _ in range(2):
        values, state = step(state, values)
    np.testing.assert_allclose(values[0], [-2.0, -1.0])
    assert pure.sums[0].numpy().sum() == 0  # nothing leaked out of the trace


def test_subclass_may_call_the_built_in_step():
    class Halved(SGD):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient / 2, variable, learning_rate)

    own = weight()
    Halved(1.0, momentum=0.9).apply_gradients([(jnp.ones(2), own)])
    np.testing.assert_allclose(own.numpy(), [0.5, 1.5])


def test_get_takes_names_configs_classes_and_objects():
    adam = Adam()
    assert optimizers.get(adam) is adam
    assert type(optimizers.get("AdamW")).__name__ == "AdamW"
    assert isinstance(optimizers.get({"class_name": "sgd", "config": {"lr": 0.5}}), SGD)
    assert isinstance(optimizers.get(SGD), SGD)
    assert optimizers.get(None) is None
    with pytest.raises(UnknownNameError, match="Did you mean 'adam'"):
        optimizers.get("adm")
    with pytest.raises(ArgumentError, match="name, config or instance"):
        optimizers.get(3)


def test_every_name_in_the_table_resolves():
    from nacre.optimizers import lookup

    for name, place in lookup.BUILT_IN.items():
        assert lookup._class_named(name).__name__ == place.split(":")[1]


def test_custom_schedule_is_saved_by_name():
    from nacre.core.registry import CustomObjectScope

    class Halving(schedules.LearningRateSchedule):
        def __init__(self, start):
            self.start = start

        def __call__(self, step):
            return self.start * 0.5**step

    config = SGD(Halving(1.0)).get_config()
    with CustomObjectScope({"Halving": Halving}):
        assert SGD.from_config(config)._learning_rate.start == 1.0


def test_a_gradient_of_another_shape_is_refused():
    kernel = Variable(np.ones((2, 1), "float32"), name="kernel")
    optimizer = SGD(0.1)
    with pytest.raises(ArgumentError, match=r"variable's shape. Got kernel \(2, 1\) from \(2, 2\)"):
        optimizer.apply([jnp.ones((2, 2))], [kernel])
    optimizer.apply([1.0], [kernel])  # a number counts for every element, as in Keras
    np.testing.assert_allclose(kernel.numpy(), [[0.9], [0.9]])


def test_what_needs_arguments_cannot_be_named_by_a_string():
    with pytest.raises(ArgumentError, match="Pass an object"):
        optimizers.get("LossScaleOptimizer")
    with pytest.raises(ArgumentError, match="must be a dict"):
        optimizers.deserialize(5)
