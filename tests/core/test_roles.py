"""A config, or a name, of something else is refused where it is read: not when the model runs."""

import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre.core.errors import SerializationError

K = nacre
ROLES = {
    "layer": (K.layers.Dense(2), K.layers.deserialize),
    "optimizer": (K.optimizers.SGD(0.1), K.optimizers.deserialize),
    "schedule": (
        K.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5),
        K.optimizers.schedules.deserialize,
    ),
    "loss": (K.losses.Huber(), K.losses.deserialize),
    "metric": (K.metrics.AUC(), K.metrics.deserialize),
    "initializer": (K.initializers.Zeros(), K.initializers.deserialize),
    "regularizer": (K.regularizers.L2(0.1), K.regularizers.deserialize),
    "constraint": (K.constraints.NonNeg(), K.constraints.deserialize),
    "quantizer": (K.quantizers.AbsMaxQuantizer(axis=0), K.quantizers.deserialize),
    "policy": (K.dtype_policies.DTypePolicy("float16"), K.dtype_policies.deserialize),
}
READERS = {**{role: read for role, (_, read) in ROLES.items()}, "activation": None}
READERS["activation"] = K.activations.deserialize
# A layer is an activation too, and a loss is counted as a metric.
ALSO = {("activation", "layer"), ("metric", "loss")}


@pytest.mark.parametrize("wanted", READERS)
def test_configs_of_something_else_are_refused(wanted):
    for role, (made, _) in ROLES.items():
        config = K.saving.serialize_keras_object(made)
        if role == wanted or (wanted, role) in ALSO:
            assert type(READERS[wanted](config)) is type(made)
        else:
            with pytest.raises(SerializationError, match="must (be|describe) an? "):
                READERS[wanted](config)


class Squashed(K.layers.Layer):
    """A registered layer, whose name finds it wherever a name is looked up."""


@pytest.mark.parametrize(
    "namespace", ["optimizers", "losses", "metrics", "initializers", "regularizers", "constraints"]
)
def test_a_registered_layers_name_is_no_other_object(namespace):
    with K.saving.custom_object_scope({"Squashed": Squashed}):
        space = getattr(K, namespace)
        for read in (space.get, space.deserialize):
            for given in ("Squashed", {"class_name": "Squashed", "config": {}}):
                if (given, read) != ("Squashed", K.optimizers.deserialize):
                    with pytest.raises(SerializationError, match=r"the layer Squashed|Squashed"):
                        read(given)
        assert isinstance(K.activations.get("Squashed"), Squashed)


def test_a_rate_is_a_schedule_or_a_number():
    config = K.optimizers.SGD(0.1).get_config()
    config["learning_rate"] = K.saving.serialize_keras_object(K.layers.Dense(1))
    with pytest.raises(SerializationError, match="must be a schedule"):
        K.optimizers.SGD.from_config(config)


def _halved(shape, dtype=None):
    return jnp.full(shape, 0.5, dtype)


class Doubled:
    """An outside author's, of no base class."""

    def __call__(self, weights):
        return 2 * weights

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls()


def test_functions_and_classes_that_say_no_role_are_taken_where_they_are_asked_for():
    scope = {"_halved": _halved, "Doubled": Doubled}
    with K.saving.custom_object_scope(scope):
        assert K.initializers.get("_halved") is _halved
        found = K.constraints.get({"class_name": "Doubled", "config": {}})
        np.testing.assert_array_equal(found(np.ones(2)), [2, 2])
