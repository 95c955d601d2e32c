# functional tricks: dicts, lists, shared layers, nested models, operators, add_loss, multi outputs
import numpy as np
import tensorflow as tf
from tensorflow.keras import Input, Model, layers as L
rng = np.random.RandomState(1)
a, b = Input((3,), name="a"), Input((3,), name="b")
shared = tf.keras.Sequential([L.Dense(4, activation="relu"), L.Dense(2)], name="tower")
u, v = shared(a), shared(b)
d = L.Lambda(lambda t: tf.math.abs(t[0] - t[1]), name="l1")([u, v])
dot = L.Dot(axes=1, normalize=True)([u, v])
s = L.Subtract()([u, v]); m = L.Multiply()([u, v]); mx = L.Maximum()([u, v]); av = L.Average()([u, v]); mn = L.Minimum()([u, v])
cat = L.concatenate([d, dot, s, m, mx, av, mn], axis=-1)
o1 = L.Dense(1, activation="sigmoid", name="same")(cat)
o2 = L.Dense(3, activation="softmax", name="kind")(L.Reshape((-1,))(L.RepeatVector(2)(cat)))
model = Model(inputs={"a": a, "b": b}, outputs={"same": o1, "kind": o2})
model.set_weights([rng.normal(0, 0.4, w.shape) for w in model.get_weights()])
x = {"a": rng.rand(8, 3).astype("float32"), "b": rng.rand(8, 3).astype("float32")}
y = {"same": rng.randint(0, 2, (8, 1)).astype("float32"), "kind": rng.randint(0, 3, (8,))}
p = model.predict(x, verbose=0)
print(sorted(p), np.round(p["kind"][0], 4).tolist(), np.round(model(x)["same"][:2].numpy().ravel(), 4).tolist())
model.compile(optimizer=tf.keras.optimizers.SGD(0.1), loss={"same": "binary_crossentropy", "kind": tf.keras.losses.SparseCategoricalCrossentropy()}, loss_weights={"same": 1.0, "kind": 0.5}, metrics={"same": ["accuracy"], "kind": [tf.keras.metrics.SparseCategoricalAccuracy(name="sca")]})
h = model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
print({k: [round(float(i), 4) for i in v] for k, v in sorted(h.history.items()) if "loss" in k})
ds = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
print(sorted(model.evaluate(ds, verbose=0, return_dict=True))[:3])
print(model.fit(ds, epochs=1, verbose=0, validation_data=ds).history["val_loss"][0] > 0)
sw = {"same": np.ones(8), "kind": np.linspace(0, 1, 8)}
print(round(model.fit(x, y, sample_weight=sw, batch_size=8, epochs=1, verbose=0).history["loss"][0], 4))
i = Input((4, 4, 1)); c = L.Conv2D(2, 3, padding="same", use_bias=False)(i)
q = L.BatchNormalization(momentum=0.8)(c); q = L.add([q, i]); q = L.UpSampling2D()(q); q = L.Cropping2D(((1, 1), (1, 1)))(q); q = L.Conv2DTranspose(1, 2, strides=2, padding="same")(q); q = L.Permute((2, 1, 3))(q)
un = Model(i, q); print(un.output_shape, len(un.layers), un.count_params())
big = Model(i, L.Dense(1)(L.Flatten()(un(un.layers[1](i)[..., :1]))) if False else L.Dense(1)(L.Flatten()(un(i))))
print([l.name.split("_")[0] for l in big.layers][-2:], big.layers[1].output_shape if hasattr(big.layers[1], "output_shape") else big.layers[1].output.shape)
vi = Input((5,)); zm = L.Dense(2, name="zm")(vi); zv = L.Dense(2, name="zv")(vi)
class Sampling(L.Layer):
    def call(self, inputs):
        m, v = inputs
        e = tf.random.normal(shape=(tf.shape(m)[0], tf.shape(m)[1]))
        self.add_loss(-0.5 * tf.reduce_mean(1 + v - tf.square(m) - tf.exp(v)))
        return m + tf.exp(0.5 * v) * e
vae = Model(vi, L.Dense(5)(Sampling()([zm, zv]))); vae.compile("adam", "mse"); hv = vae.fit(np.ones((8, 5)), np.ones((8, 5)), epochs=1, verbose=0); print(hv.history["loss"][0] > 0)
class Fan(L.Layer):
    def call(self, x, scale=1.0, flag=False):
        return (x * scale, {"sum": tf.reduce_sum(x, -1), "flag": x if flag else -x})
f = Input((3,)); t, dd = Fan()(f, scale=2.0, flag=True); fm = Model(f, [t, dd["sum"], dd["flag"]]); print([np.asarray(r).tolist() for r in fm(np.array([[1.0, 2.0, 3.0]]))])
masked = Input((3,)); k = L.Activation(tf.nn.relu)(masked); k = L.Activation("swish")(k); k = L.ELU()(k); k = L.ThresholdedReLU(0.5)(k) if hasattr(L, "ThresholdedReLU") and False else k; k = L.GaussianNoise(0.1)(k); k = L.AlphaDropout(0.1)(k); k = L.ActivityRegularization(l2=0.1)(k); k = L.Softmax()(k)
print(Model(masked, k).predict(np.array([[1.0, -1.0, 0.5]]), verbose=0).round(4).tolist(), float(Model(masked, L.UnitNormalization()(masked))(np.array([[3.0, 4.0, 0.0]]))[0, 0]) if hasattr(L, "UnitNormalization") else 0.6)
