"""More of what people write, to be looked at and not run: it needs files, and time."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

import nacre as keras
import nacre.ops as K
from nacre import layers, ops
from nacre.callbacks import Callback, LambdaCallback, ReduceLROnPlateau
from nacre.datasets import mnist
from nacre.layers import Dense, Flatten
from nacre.optimizers.schedules import CosineDecay, LearningRateSchedule

(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train = x_train.astype("float32") / 255
x_train = np.expand_dims(x_train, -1)


class Stop(Callback):
    def on_epoch_end(self, epoch, logs=None):
        if logs.get("accuracy") > 0.95:
            self.model.stop_training = True

    def on_train_batch_end(self, batch, logs={}):  # noqa: B006
        print(logs["loss"], self.params["epochs"])


class Stop2(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs):
        self.model.save(f"m{epoch}.keras")

    def on_train_begin(self, logs={}):  # noqa: B006
        self.losses = []


class GAN(keras.Model):
    def __init__(self, discriminator, generator, latent_dim):
        super().__init__()
        self.discriminator = discriminator
        self.generator = generator
        self.latent_dim = latent_dim
        self.seed_generator = keras.random.SeedGenerator(1337)
        self.d_loss_tracker = keras.metrics.Mean(name="d_loss")

    # 'standard' is right that this cannot stand for Model.compile; 'basic' does not ask.
    def compile(self, d_optimizer, g_optimizer, loss_fn):  # pyright: ignore[reportIncompatibleMethodOverride]
        super().compile()
        self.d_optimizer = d_optimizer
        self.loss_fn = loss_fn

    @property
    def metrics(self):
        return [self.d_loss_tracker]

    def train_step(self, data):
        x = data[0]
        batch_size = ops.shape(x)[0]
        noise = keras.random.normal(shape=(batch_size, self.latent_dim), seed=self.seed_generator)
        fake = self.generator(noise)
        labels = ops.concatenate([ops.ones((batch_size, 1)), ops.zeros((batch_size, 1))], axis=0)
        labels += 0.05 * keras.random.uniform(ops.shape(labels))
        self.d_loss_tracker.update_state(self.loss_fn(labels, self.discriminator(fake)))
        return {
            "d_loss": self.d_loss_tracker.result(),
            **{m.name: m.result() for m in self.metrics},
        }


class Sampling(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed = keras.random.SeedGenerator(3)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        batch = ops.shape(z_mean)[0]
        dim = K.shape(z_mean)[1]
        eps = keras.random.normal(shape=(batch, dim), seed=self.seed)
        return z_mean + ops.exp(0.5 * z_log_var) * eps


class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1):
        super(TransformerBlock, self).__init__()  # noqa: UP008
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential(
            [layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)]
        )
        self.norm = layers.LayerNormalization(epsilon=1e-6)
        self.drop = layers.Dropout(rate)

    def call(self, inputs, training=None):
        a = self.att(inputs, inputs)
        a = self.drop(a, training=training)
        out1 = self.norm(inputs + a)
        return self.norm(out1 + self.ffn(out1))


class PositionEmbedding(layers.Layer):
    def __init__(self, maxlen, vocab_size, embed_dim):
        super().__init__()
        self.token_emb = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
        self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=embed_dim)

    def call(self, x):
        maxlen = ops.shape(x)[-1]
        positions = ops.arange(start=0, stop=maxlen, step=1)
        return self.token_emb(x) + self.pos_emb(positions)

    def compute_mask(self, inputs, mask=None):
        return None


class Warm(LearningRateSchedule):
    def __init__(self, d):
        self.d = ops.cast(d, "float32")

    def __call__(self, step):
        step = ops.cast(step, "float32")
        return ops.rsqrt(self.d) * ops.minimum(ops.rsqrt(step), step * 1e-3)

    def get_config(self):
        return {"d": 3}


class MyDense(layers.Dense):
    def __init__(self, units, extra=1, **kwargs):
        super().__init__(units, **kwargs)
        self.extra = extra

    def call(self, inputs):  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().call(inputs) * self.extra


class MyModel(keras.Model):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.a = MyDense(3)
        self.my_layers = [layers.Dense(3) for _ in range(3)]
        self.drop = layers.Dropout(0.2)

    def build(self, input_shape):
        self.w = self.add_weight("w", shape=[3, 4], initializer="glorot_uniform")
        self.b = self.add_weight("b", (3,), "float32", "zeros", trainable=True)
        super().build(input_shape)

    def call(self, inputs, training=None, mask=None):
        x = inputs["a"] if isinstance(inputs, dict) else inputs
        for l in self.my_layers:
            x = l(x)
        x = self.drop(x, training=training)
        if training:
            x = x + 1
        return x

    def get_config(self):
        return {**super().get_config(), "x": 3}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def test_step(self, data):
        x, y = data
        y_pred = self(x, training=False)
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}

    def compute_loss(self, x, y, y_pred, sample_weight=None):
        return ops.mean(ops.square(y - y_pred))


def residual(x, filters: int, strides=1):
    s = x
    x = layers.Conv2D(
        filters, 3, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.ReLU()(x)
    if s.shape[-1] != filters:
        s = layers.Conv2D(filters, 1, strides=strides)(s)
    return layers.Add()([x, s])


DefaultConv = functools.partial(layers.Conv2D, kernel_size=3, padding="same")
i = keras.Input(shape=x_train.shape[1:])
x = DefaultConv(filters=3)(i)
for f in [32, 64]:
    x = residual(x, f)
x = residual(x, filters=x.shape[-1] * 2)
z = Flatten()(x)
h = Dense(
    np.int64(math.prod(x_train.shape[1:])) // 2, activation=lambda t: ops.maximum(t, 0.1 * t)
)(z)
h = layers.Lambda(lambda t: t**2)(h)
h = layers.Reshape((-1, 2))(h)
h1, state = layers.GRU(4, return_state=True, return_sequences=True)(h)
b = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(h1)
c = layers.concatenate([b, h1])
c = c[:, -1] + c[:, 0, :] - 2 * c[..., 0, :]
d = ops.expand_dims(c, 1) @ ops.transpose(h1, (0, 2, 1)) if c.shape[-1] == 3 else c
e = -(abs(c) ** 2) / 3 > 0
out = layers.Dense(10, activation="softmax", dtype="float32", name="out")(c)
m = keras.Model(i, out)
m2 = keras.models.Model(inputs=[i], outputs=[out, c], name="m2")
m3 = keras.Model([l.output for l in m.layers[:3]], m.get_layer("out").output)
print(
    m.layers[-1].units,
    m.layers[0].name,
    len(m.layers),
    [w.shape for w in m.weights],
    m.output.shape,
    m.inputs[0].shape,
)
m.layers[0].set_weights(m.layers[1].get_weights())
for l in m.layers:
    if isinstance(l, layers.Conv2D):
        print(l.kernel.shape, l.filters, l.bias.numpy() if l.bias is not None else 0)
    elif hasattr(l, "rate"):
        l.rate = 0.3
    l.trainable = not isinstance(l, keras.layers.BatchNormalization)


def freeze(ls: list[keras.layers.Layer]): ...


freeze(m.layers)
freeze(m.layers[:-1])
print(m.layers + [1], m.layers.index(m.layers[0]))
m.compile(
    loss="categorical_crossentropy",
    optimizer=keras.optimizers.Adam(CosineDecay(1e-3, 100)),
    metrics=["accuracy", keras.metrics.AUC(from_logits=True)],
)
m.compile(
    keras.optimizers.SGD(lr=0.1, decay=1e-6, momentum=0.9, nesterov=True),
    loss=keras.losses.mean_squared_error,
)
m.optimizer.learning_rate = 0.01
m.optimizer.learning_rate.assign(0.3)
hist = m.fit(
    x=x_train,
    y=y_train,
    validation_data=(x_test, y_test),
    callbacks=[
        Stop(),
        LambdaCallback(on_epoch_end=lambda e, logs: print(e)),
        ReduceLROnPlateau("val_loss", factor=0.2),
    ],
    class_weight={0: 1.0, 1: 2},
    verbose=2,
    shuffle=True,
    batch_size=x_train.shape[0] // 3,
)
pd.DataFrame(hist.history).plot()
best = np.argmin(hist.history["val_loss"])
df = pd.DataFrame({"a": [1.0, 2.0]})
m.fit(df[["a"]], df["a"], epochs=int(best) + 1, steps_per_epoch=len(df) // 2)
m.fit(df.values, df.pop("a"), epochs=1)
score = m.evaluate(x_test, y_test, verbose=0)
print("Test loss:", score[0], f"{score[1]:.3f}")
p = m.predict(x_test)
print(np.argmax(p, axis=1), p[0][0], p.shape, p.round())
y1, y2 = m2.predict(x_test)
m.save("x.h5")
m.save_weights("x.weights.h5")
m.load_weights("x", by_name=True)
mm = keras.models.load_model("x", custom_objects={"S": Sampling}, compile=False)
mm.summary()
print(mm.layers[0].kernel)
n = layers.Normalization()
n.adapt(np.array(df))
n.adapt(df)
t = layers.TextVectorization(max_tokens=3, output_mode="int")
t.adapt(["a"])
t(["a b"])
t("a")
sl = layers.StringLookup(vocabulary=["a"])
sl(["a"])
sl(np.array([["a"]]))
print(sl.get_vocabulary()[0])
hh = layers.CategoryEncoding(num_tokens=3, output_mode="one_hot")([1, 2])
dense = layers.Dense(3)
yy = dense(np.ones((1, 2)))
yy = dense(jnp.ones((2, 2)))
yy = dense([[1.0, 2.0]])
yy = dense(ops.ones((2, 2)))
print(
    float(yy[0, 0]),
    yy.sum(),
    yy.mean(axis=0),
    jnp.tanh(yy),
    np.asarray(yy),
    yy.at[0].set(1),
    yy + dense.kernel,
    dense.kernel + yy,
    dense.kernel[0],
    dense.bias,
)
f = jax.jit(dense)
f(jnp.ones((2, 2)))
jax.vmap(dense)(jnp.ones((2, 2, 2)))
jax.grad(lambda a: dense(a).sum())(jnp.ones((2, 2)))
jax.jit(m)(x_train)
list(map(dense, [yy]))
jax.tree.map(dense, {"a": yy})
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
print(loss_fn(y_test, p).numpy() if hasattr(loss_fn, "numpy") else float(loss_fn(y_test, p)))
acc = keras.metrics.SparseCategoricalAccuracy()
acc.update_state(y_test, p)
print(acc.result(), float(acc.result()))
acc.reset_state()
acc(y_test, p)
opt = keras.optimizers.AdamW(1e-3, weight_decay=1e-4, clipnorm=1.0)
opt.apply_gradients(zip([jnp.ones(3)], m.trainable_variables))
opt.build(m.trainable_variables)
opt.apply(list(m.trainable_weights), m.trainable_variables)
keras.backend.clear_session()
keras.utils.set_random_seed(3)
keras.mixed_precision.set_global_policy("mixed_float16")
keras.config.set_floatx("float32")
v = keras.Variable(np.ones(3), dtype="float32", name="v")
v.assign_add(ops.ones(3))
print(
    v + 1,
    1 - v,
    v @ ops.ones((3,)),
    v.value,
    v.numpy(),
    v[0],
    -v,
    v > 3,
    v == 2,
    ops.sum(v),
    np.sum(v),
    jnp.sum(v.value),
    abs(v),
    len(v),
    [q for q in v],
)
init = keras.initializers.RandomNormal(stddev=0.01)
print(init((2, 3)), init(shape=(2, 3), dtype="float32"))
reg = lambda w: 0.01 * ops.sum(ops.abs(w))
layers.Dense(
    3, kernel_regularizer=reg, kernel_constraint=keras.constraints.MaxNorm(3), bias_initializer=init
)
cell = layers.LSTMCell(3)
layers.RNN([cell, layers.GRUCell(3)], return_sequences=True)(h1)
td = layers.TimeDistributed(layers.Dense(3))(h1)
layers.Permute((2, 1))(td)
layers.Masking(mask_value=0.0)(h1)
ops.scan(lambda c, x: (c, x), 0, ops.ones(3))
ops.cond(ops.any(yy > 0), lambda: yy, lambda: -yy)
ops.where(yy > 0, yy, 0.0)
ops.stack([yy, yy])
ops.split(yy, 2)[0]
ops.max(yy, axis=-1, keepdims=True)
a1, a2 = ops.top_k(yy, k=2)
ops.convert_to_tensor(df)
ops.convert_to_numpy(yy).tolist()
ops.shape(c)[0]
ops.one_hot([1, 2], 3)
ops.cast(yy > 0, "int32") + 1
ops.logical_and(yy > 0, yy < 1) | (yy > 3)
seq = keras.Sequential()
seq.add(keras.Input((3,)))
seq.add(layers.Dense(3))
seq.pop()
print(
    seq.layers,
    seq.output_shape,
    seq.input_shape,
    seq(np.ones((1, 3))).shape,
    seq.predict(np.ones((1, 3)))[0],
)
keras.Model.from_config(m.get_config())
keras.models.model_from_json(m.to_json())
print(layers.Dense.from_config({"units": 3}).units, keras.layers.deserialize({}).name)


@keras.saving.register_keras_serializable()
def custom(x):
    return ops.tanh(x)


layers.Activation(custom)(c)
keras.activations.relu(c, max_value=3)
keras.activations.get("relu")(c)
ema = keras.callbacks.SwapEMAWeights()
print(keras.callbacks.History().history)
print(keras.utils.to_categorical(y_test, num_classes=10).shape)
keras.utils.pad_sequences([[1]], maxlen=3, padding="post")


class Quiet:
    def on_epoch_end(self, epoch, logs=None):
        print(epoch)


watchers = []
watchers.append(Stop())
m.fit(x_train, y_train, callbacks=Stop2())
m.fit(x_train, y_train, callbacks=watchers)
m.fit(x_train, y_train, callbacks=(Stop(), [Stop2(), None], Quiet()))
m.evaluate(x_test, y_test, callbacks=None)
m.predict(x_test, callbacks=keras.callbacks.CallbackList([Stop()], model=m))

# Layers on arrays of NumPy, variables and symbolic tensors, in lists and tuples.
state = np.zeros((2, 3), "float32")
out, states = layers.LSTMCell(3)(np.ones((2, 4)), [state, state])
print(out.shape, states[0].shape, layers.GRUCell(3)(keras.Variable(state), state)[0].shape)
steps = keras.Input((5, 3))
print(
    layers.Attention()((steps, steps)).shape, layers.Attention()([x_train, x_train, x_train]).shape
)
print(layers.MultiHeadAttention(2, 3)(x_train, keras.Variable(x_train), key=x_train).shape)
print(layers.Dense(3)(keras.Variable(state)).shape, layers.Embedding(3, 4)(np.ones((2, 3))).shape)
