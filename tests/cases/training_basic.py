"""Training cases: dense layers, activations, regularizers, constraints, merging, compositions."""

from __future__ import annotations

from .spec import ArrayInput as X
from .spec import Spec
from .training_case import RAGGED_ROWS, Table, optimizer, stack

BASIC = Table()
case = BASIC.case


@case((4,), (3,), has_inference=True)
def dense_activations(k):
    names = ("relu", "tanh", "sigmoid", "elu", "selu", "gelu", "silu", "softplus", "softsign")
    layers = [k.layers.Dense(4, activation=name) for name in names]
    return stack(k, (4,), *layers, k.layers.Dense(3))


@case((4,), (3,), "sgd")
def dense_more_activations(k):
    names = ("mish", "leaky_relu", "hard_sigmoid", "exponential", "relu6", "softmax", "linear")
    return stack(
        k, (4,), *[k.layers.Dense(4, activation=name) for name in names], k.layers.Dense(3)
    )


@case((4,), (3,), "sgd", rows=RAGGED_ROWS)
def dense_kernel_regularizers(k):
    rules = (
        k.regularizers.L1(0.03),
        k.regularizers.L2(0.03),
        k.regularizers.L1L2(0.02, 0.03),
        k.regularizers.OrthogonalRegularizer(0.05),
    )
    layers = [k.layers.Dense(4, activation="tanh", kernel_regularizer=rule) for rule in rules]
    return stack(k, (4,), *layers, k.layers.Dense(3))


@case((4,), (3,), rows=RAGGED_ROWS)
def dense_bias_and_activity_regularizers(k):
    return stack(
        k,
        (4,),
        k.layers.Dense(4, activation="tanh", bias_regularizer="l2", kernel_regularizer="l1"),
        k.layers.Dense(4, activation="tanh", activity_regularizer=k.regularizers.L1(0.02)),
        k.layers.ActivityRegularization(l1=0.01, l2=0.02),
        k.layers.Dense(3, activity_regularizer=k.regularizers.L2(0.03)),
    )


@case((4,), (3,), "sgd", weight_scale=2.0)
def dense_constraints(k):
    rules = (
        k.constraints.MaxNorm(1.0),
        k.constraints.NonNeg(),
        k.constraints.UnitNorm(),
        k.constraints.MinMaxNorm(0.5, 0.9, rate=0.7),
    )
    layers = [
        k.layers.Dense(4, activation="tanh", kernel_constraint=rule, bias_constraint=bias)
        for rule, bias in zip(rules, ("non_neg", None, "max_norm", None), strict=True)
    ]
    return stack(k, (4,), *layers, k.layers.Dense(3))


@case((4,), (3,))
def dense_frozen(k):
    return stack(
        k,
        (4,),
        k.layers.Dense(5, activation="tanh", use_bias=False),
        k.layers.Dense(5, activation="tanh", trainable=False),
        k.layers.Dense(3),
    )


@case((3, 4), (3, 2), "sgd")
def dense_on_sequences(k):
    return stack(k, (3, 4), k.layers.Dense(5, activation="tanh"), k.layers.Dense(2))


@case((3, 4), (3, 2))
def einsum_dense(k):
    return stack(
        k,
        (3, 4),
        k.layers.EinsumDense("abc,cd->abd", (3, 5), bias_axes="d", activation="tanh"),
        k.layers.EinsumDense("abd,bde->abe", (3, 2), bias_axes="be"),
    )


@case((4, 4, 3), (2,), "sgd")
def activation_layers(k):
    return stack(
        k,
        (4, 4, 3),
        k.layers.PReLU(shared_axes=[1, 2]),
        k.layers.Dense(4),
        k.layers.LeakyReLU(0.2),
        k.layers.Dense(4),
        k.layers.ELU(0.7),
        k.layers.PReLU(),
        k.layers.Dense(4),
        k.layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.1),
        k.layers.Softmax(axis=-1),
        k.layers.Activation("tanh"),
        k.layers.Flatten(),
        k.layers.Dense(2),
    )


@case([(4,), (4,)], (2,))
def merging(k):
    first, second = k.Input((4,)), k.Input((4,))
    a = k.layers.Dense(3, activation="tanh")(first)
    b = k.layers.Dense(3, activation="tanh")(second)
    names = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    parts = [getattr(k.layers, name)()([a, b]) for name in names]
    parts.append(k.layers.Dot(axes=1, normalize=True)([a, b]))
    joined = k.layers.Concatenate()(parts)
    return k.Model([first, second], k.layers.Dense(2)(joined))


@case({"left": (4,), "right": (4,)}, (2,), "sgd")
def shared_layer_and_inner_model(k):
    shape_in = k.Input((3,))
    inner = k.Model(shape_in, k.layers.Dense(3, activation="tanh")(shape_in))
    left, right = k.Input((4,), name="left"), k.Input((4,), name="right")
    shared = k.layers.Dense(3, activation="tanh", kernel_regularizer="l2")
    joined = k.layers.Concatenate()([inner(shared(left)), inner(shared(right))])
    return k.Model({"left": left, "right": right}, k.layers.Dense(2)(joined))


@case((4,), (2,), "sgd")
def operators_between_layers(k):
    inputs = k.Input((4,))
    x = k.layers.Dense(4)(inputs)
    x = k.ops.tanh(x) * 2.0 + inputs / 3.0 - k.ops.mean(x, axis=-1, keepdims=True)
    x = k.layers.Rescaling(0.5, offset=0.1)(x)
    return k.Model(inputs, k.layers.Dense(2)(x[:, 1:]))


@case((4,), (2,), "sgd", has_inference=True)
def subclassed_model(k):
    class Residual(k.layers.Layer):
        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1],) * 2, name="kernel")
            self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

        def call(self, inputs):
            self.add_loss(0.01 * k.ops.sum(k.ops.square(self.kernel)))
            return inputs + self.factor * k.ops.tanh(k.ops.matmul(inputs, self.kernel))

    class Network(k.Model):
        def __init__(self):
            super().__init__()
            self.residual, self.head = Residual(), k.layers.Dense(2)

        def call(self, inputs, training=None):
            return self.head(self.residual(inputs))

    model = Network()
    model(k.ops.zeros((1, 4)))
    return model


# ------------------------------------------------------------------------- optimizer settings


@case((4,), (2,), optimizer("Adam", learning_rate=0.05, clipnorm=0.1, amsgrad=True))
def clipped_by_norm(k):
    return stack(k, (4,), k.layers.Dense(5, activation="tanh"), k.layers.Dense(2))


@case(
    (4,),
    (2,),
    optimizer("SGD", learning_rate=0.05, global_clipnorm=0.2, nesterov=True, momentum=0.9),
)
def clipped_together(k):
    return stack(k, (4,), k.layers.Dense(5, activation="tanh"), k.layers.Dense(2))


@case((4,), (2,), optimizer("AdamW", learning_rate=0.05, weight_decay=0.1, clipvalue=0.05))
def decayed_weights(k):
    return stack(k, (4,), k.layers.Dense(5, activation="tanh"), k.layers.Dense(2))


@case(
    (4,),
    (2,),
    optimizer("SGD", learning_rate=0.05, gradient_accumulation_steps=2, momentum=0.9),
    has_inference=True,
)
def accumulated_gradients(k):
    return stack(
        k,
        (4,),
        k.layers.Dense(5, activation="tanh"),
        k.layers.BatchNormalization(),
        k.layers.Dense(2),
    )


@case(
    (4,),
    (2,),
    optimizer(
        "Adam", learning_rate=0.05, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=4
    ),
)
def averaged_weights(k):
    return stack(k, (4,), k.layers.Dense(5, activation="tanh"), k.layers.Dense(2))


@case(
    (4,),
    (2,),
    optimizer("SGD", learning_rate=0.05, momentum=0.5, use_ema=True, ema_momentum=0.7),
    has_inference=True,
)
def averaged_at_the_end(k):
    return stack(k, (4,), k.layers.Dense(5, activation="tanh"), k.layers.Dense(2))


@case(
    (4,),
    (2,),
    optimizer(
        "RMSprop",
        learning_rate=Spec(
            "ExponentialDecay",
            {"initial_learning_rate": 0.05, "decay_steps": 3, "decay_rate": 0.5},
            namespace="optimizers.schedules",
        ),
        momentum=0.5,
        centered=True,
    ),
    fitting={"validation_split": 0.2},
    has_inference=True,
)
def scheduled_rate_and_validation(k):
    return stack(k, (4,), k.layers.Dense(5, activation="tanh"), k.layers.Dense(2))


@case(X((4,), low=-30.0, high=90.0), (2,), "adam")
def normalized_by_numbers(k):
    return stack(
        k,
        (4,),
        k.layers.Normalization(mean=[30.0, 20.0, 10.0, 0.0], variance=[900.0, 400.0, 900.0, 100.0]),
        k.layers.Dense(5, activation="tanh"),
        k.layers.Dense(2),
    )
