import numpy as np
import tensorflow as tf
from tensorflow.keras import initializers, regularizers, constraints, activations

class Scaled(tf.keras.layers.Layer):
    def __init__(self, units=32, activation=None, kernel_initializer="glorot_uniform", kernel_regularizer=None, kernel_constraint=None, **kwargs):
        super(Scaled, self).__init__(**kwargs)
        self.units = int(units)
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.supports_masking = True
        self.input_spec = tf.keras.layers.InputSpec(min_ndim=2)

    def build(self, input_shape):
        dim = tf.compat.dimension_value(tf.TensorShape(input_shape)[-1]) if not isinstance(input_shape, tuple) else input_shape[-1]
        self.kernel = self.add_weight(name="kernel", shape=[dim, self.units], initializer=self.kernel_initializer, regularizer=self.kernel_regularizer, constraint=self.kernel_constraint, trainable=True)
        self.counter = self.add_weight(name="n", shape=(), initializer="zeros", trainable=False, dtype=tf.float32)
        self.built = True
        super(Scaled, self).build(input_shape)

    def call(self, inputs, training=None, mask=None):
        if training:
            self.counter.assign_add(1.0)
        out = tf.matmul(inputs, self.kernel)
        self.add_loss(1e-3 * tf.reduce_mean(tf.square(out)))
        return self.activation(out) if self.activation is not None else out

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[:-1]) + (self.units,)

    def get_config(self):
        config = {"units": self.units, "activation": activations.serialize(self.activation), "kernel_initializer": initializers.serialize(self.kernel_initializer),
                  "kernel_regularizer": regularizers.serialize(self.kernel_regularizer), "kernel_constraint": constraints.serialize(self.kernel_constraint)}
        base = super(Scaled, self).get_config()
        return dict(list(base.items()) + list(config.items()))

class Half(tf.keras.initializers.Initializer):
    def __init__(self, value=0.5):
        self.value = value
    def __call__(self, shape, dtype=None, **kwargs):
        return tf.ones(shape, dtype=dtype or tf.float32) * self.value
    def get_config(self):
        return {"value": self.value}

class Penal(tf.keras.regularizers.Regularizer):
    def __init__(self, s):
        self.s = s
    def __call__(self, w):
        return self.s * tf.reduce_sum(tf.abs(w))
    def get_config(self):
        return {"s": float(self.s)}

class Clip(tf.keras.constraints.Constraint):
    def __call__(self, w):
        return tf.clip_by_value(w, -0.4, 0.4)

class Net(tf.keras.Model):
    def __init__(self, depth=2):
        super().__init__(name="net")
        self.blocks = [Scaled(4, activation="tanh", kernel_initializer=Half(0.1), kernel_regularizer=Penal(0.01), kernel_constraint=Clip()) for _ in range(depth)]
        self.heads = {"a": tf.keras.layers.Dense(1, kernel_initializer="ones"), "b": tf.keras.layers.Dense(2, kernel_initializer="ones")}
        self.drop = tf.keras.layers.Dropout(0.0)

    def call(self, x, training=False):
        for block in self.blocks:
            x = block(x, training=training)
            x = self.drop(x, training=training)
        return {k: head(x) for k, head in self.heads.items()}

net = Net()
x = np.linspace(-1, 1, 12).reshape(4, 3).astype("float32")
out = net(x)
print({k: v.shape.as_list() for k, v in out.items()}, len(net.losses), [round(float(l), 5) for l in net.losses])
net.compile(optimizer=tf.keras.optimizers.SGD(0.1), loss={"a": "mse", "b": "mae"}, loss_weights={"a": 1.0, "b": 0.5}, metrics={"a": ["mae"]})
h = net.fit(x, {"a": np.ones((4, 1)), "b": np.zeros((4, 2))}, epochs=2, batch_size=2, shuffle=False, verbose=0)
print([round(v, 4) for v in h.history["loss"]], [int(b.counter.numpy()) for b in net.blocks])
print(np.round(net.predict(x, verbose=0)["b"][0], 4).tolist(), float(tf.reduce_max(net.blocks[0].kernel)) <= 0.4)
cfg = net.blocks[0].get_config()
print(cfg["units"], cfg["kernel_initializer"]["config"]["value"], cfg["activation"], cfg["kernel_regularizer"]["config"]["s"])
with tf.keras.utils.custom_object_scope({"Scaled": Scaled, "Half": Half, "Penal": Penal, "Clip": Clip}):
    again = Scaled.from_config(cfg)
print(again.units, again.kernel_initializer.value)
net.save_weights("net.weights.h5")
other = Net()
other(x)
other.load_weights("net.weights.h5")
print(np.allclose(other(x)["a"], net(x)["a"]))
net.summary(print_fn=lambda s, **k: None)
print([v.shape.as_list() if hasattr(v.shape, "as_list") else list(v.shape) for v in net.trainable_variables])
