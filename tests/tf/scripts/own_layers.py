"""Layers of one's own: weights made in build, configs, penalties, training flags, nested ones."""

import numpy as np
import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="mine")
class Affine(tf.keras.layers.Layer):
    def __init__(self, units=4, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = tf.keras.activations.get(activation)

    def build(self, input_shape):
        self.w = self.add_weight(name="w", shape=(input_shape[-1], self.units), initializer="random_normal", regularizer=tf.keras.regularizers.l2(0.01))
        self.b = self.add_weight(name="b", shape=(self.units,), initializer="zeros", trainable=True)
        self.calls = self.add_weight(name="calls", shape=(), initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, inputs, training=None):
        if training:
            self.calls.assign_add(1.0)
        return self.activation(tf.matmul(inputs, self.w) + self.b)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[:-1]) + (self.units,)

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units, "activation": tf.keras.activations.serialize(self.activation)})
        return config


class Gate(tf.keras.layers.Layer):
    def __init__(self, units, rate=0.0, **kwargs):
        super().__init__(**kwargs)
        self.inner = [Affine(units, "relu"), Affine(units, "sigmoid")]
        self.drop = tf.keras.layers.Dropout(rate)

    def call(self, x, training=False):
        a, b = [layer(x, training=training) for layer in self.inner]
        self.add_loss(0.001 * tf.reduce_sum(tf.square(b)))
        return self.drop(a * b, training=training)


rng = np.random.default_rng(29)
inputs = tf.keras.Input((3,))
outputs = Affine(2, name="last")(Gate(5)(inputs))
model = tf.keras.Model(inputs, outputs)
values = [rng.normal(0, 0.5, w.shape) if w.ndim else w for w in model.get_weights()]
model.set_weights(values)
x = rng.normal(size=(16, 3)).astype("float32")
y = rng.normal(size=(16, 2)).astype("float32")
model.compile(optimizer="sgd", loss="mse", run_eagerly=False)
log = model.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0).history
print("loss", [f"{v:.4f}" for v in log["loss"]], "calls", model.get_layer("last").calls.numpy())
model(x)
print(len(model.trainable_weights), len(model.non_trainable_weights), len(model.losses))
config = model.get_layer("last").get_config()
print(config["units"], config["activation"], config["name"], Affine.from_config(config).units)
print([w.shape for w in model.get_layer("last").get_weights()], model.get_layer("last").count_params())

simple = tf.keras.Sequential([tf.keras.Input((3,)), Affine(4, "relu"), Affine(1)])
simple.save("own.keras")
again = tf.keras.models.load_model("own.keras")
print("same", np.allclose(simple.predict(x, verbose=0), again.predict(x, verbose=0), atol=1e-6), type(again.layers[0]).__name__)
with tf.keras.utils.custom_object_scope({"Affine": Affine}):
    print(tf.keras.models.clone_model(simple).count_params())


class Scale(tf.keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.factor = tf.Variable(2.0, trainable=True, name="factor")
        self.seen = tf.Variable(tf.zeros((3,)), trainable=False)

    def call(self, inputs):
        self.seen.assign_add(tf.reduce_sum(inputs, axis=0))
        return inputs * self.factor


scale = Scale()
print(scale(tf.ones((2, 3))).numpy().sum(), scale.seen.numpy().tolist(), len(scale.weights), len(scale.trainable_weights))
with tf.GradientTape() as tape:
    out = tf.reduce_sum(scale(tf.ones((2, 3))))
print(tape.gradient(out, scale.factor).numpy(), scale.seen.numpy().tolist())
print(tf.keras.layers.Lambda(lambda t: t**2)(tf.constant([3.0])).numpy(), scale.built, scale.trainable)
