import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers, mixed_precision
mixed_precision.set_global_policy("mixed_float16")
p = mixed_precision.global_policy(); print(p.name, p.compute_dtype, p.variable_dtype)
i = keras.Input(shape=(4,)); h = layers.Dense(8, activation="relu", name="d1")(i)
print(getattr(h.dtype, "name", h.dtype), layers.Dense(2).dtype_policy.name)
o = layers.Activation("softmax", dtype="float32", name="pred")(layers.Dense(3)(h))
m = keras.Model(i, o); print(getattr(o.dtype, "name", o.dtype), getattr(m.get_layer("d1").kernel.dtype, "name", m.get_layer("d1").kernel.dtype))
m.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.RMSprop(), metrics=["accuracy"])
x = np.random.RandomState(0).rand(16, 4).astype("float32"); y = np.arange(16) % 3
print(len(m.fit(x, y, batch_size=8, epochs=2, verbose=0).history["loss"]), m.predict(x, verbose=0).dtype)
opt = mixed_precision.LossScaleOptimizer(keras.optimizers.SGD(0.1))
print(type(opt).__name__)
mixed_precision.set_global_policy("float32")
keras.backend.set_floatx("float64"); print(keras.backend.floatx(), layers.Dense(1).dtype); keras.backend.set_floatx("float32")
d = layers.Dense(2, dtype="float64"); print(d(np.ones((1, 2))).dtype.name if hasattr(d(np.ones((1, 2))).dtype, "name") else d(np.ones((1, 2))).dtype)
a = tf.cast(tf.constant([1.7, -1.7]), tf.int32); print(a.numpy().tolist(), tf.saturate_cast(tf.constant([300.0, -5.0]), tf.uint8).numpy().tolist(), tf.dtypes.as_dtype("float32").size, tf.float16.max, tf.int8.min, tf.uint8.limits)
tf.random.set_seed(3); u = tf.random.uniform((2,)).numpy(); tf.random.set_seed(3); print((u == tf.random.uniform((2,)).numpy()).all())
g = tf.random.Generator.from_seed(1); s = tf.random.stateless_normal([2], seed=(1, 2)); print(g.normal([2]).shape, (s == tf.random.stateless_normal([2], seed=(1, 2))).numpy().all())
print(tf.random.shuffle(tf.range(5)).shape, sorted(tf.random.shuffle(tf.range(5)).numpy().tolist()), tf.random.truncated_normal([3]).shape, tf.random.gamma([2], 1.0).shape, tf.random.poisson([2], 3.0).shape, tf.random.categorical(tf.math.log([[0.5, 0.5]]), 4).shape)
tf.config.run_functions_eagerly(True); print(tf.config.functions_run_eagerly()); tf.config.run_functions_eagerly(False)
tf.debugging.set_log_device_placement(False); tf.debugging.assert_equal(1, 1); tf.debugging.assert_near(1.0, 1.0000001); tf.debugging.assert_shapes([(tf.ones([2, 3]), ("a", "b"))])
try:
    tf.debugging.assert_positive(tf.constant([-1.0]), message="must be > 0")
except tf.errors.InvalidArgumentError as e:
    print("must be" in str(e))
try:
    tf.ensure_shape(tf.ones([2, 3]), [None, 2])
except (tf.errors.InvalidArgumentError, ValueError):
    print("shape")
tf.config.set_soft_device_placement(True); print(tf.config.get_logical_device_configuration(tf.config.list_physical_devices("CPU")[0]) is None or True)
print(tf.executing_eagerly(), tf.inside_function() if hasattr(tf, "inside_function") else False, tf.version.VERSION[0], tf.sysconfig.get_build_info()["is_cuda_build"] in (True, False))
keras.utils.disable_interactive_logging(); print(keras.utils.is_interactive_logging_enabled()); keras.utils.enable_interactive_logging()
class Pol(layers.Layer):
    def __init__(self, **k):
        super().__init__(dtype=tf.float32, **k)
    def call(self, x):
        return tf.cast(x, self.compute_dtype) * 2
print(Pol()(tf.constant([1, 2])).numpy().tolist(), tf.as_dtype(np.float32) == tf.float32, tf.constant(1, dtype="int64").dtype == tf.int64)
