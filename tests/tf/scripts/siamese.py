"""One net for both pictures of a pair, a distance in a Lambda, and contrastive loss."""

import numpy as np
import tensorflow as tf
from tensorflow.keras import backend as K
from tensorflow.keras.layers import Dense, Flatten, Input, Lambda
from tensorflow.keras.models import Model


def distance(pair):
    a, b = pair
    total = K.sum(K.square(a - b), axis=1, keepdims=True)
    return K.sqrt(K.maximum(total, K.epsilon()))


def contrastive(y_true, y_pred, margin=1.0):
    y_true = K.cast(y_true, y_pred.dtype)
    far = K.square(K.maximum(margin - y_pred, 0))
    return K.mean(y_true * K.square(y_pred) + (1 - y_true) * far)


def near(y_true, y_pred):
    return K.mean(K.equal(y_true, K.cast(y_pred < 0.5, y_true.dtype)))


inputs = Input(shape=(6, 6))
x = Flatten()(inputs)
x = Dense(12, activation="relu")(x)
tower = Model(inputs, Dense(4)(x), name="tower")
left, right = Input((6, 6), name="left"), Input((6, 6), name="right")
apart = Lambda(distance, output_shape=(1,), name="apart")([tower(left), tower(right)])
model = Model([left, right], apart)

rng = np.random.default_rng(15)
tower.set_weights([rng.normal(0, 0.2, w.shape) for w in tower.get_weights()])
kinds = rng.random((3, 6, 6))
which = rng.integers(0, 3, (32, 2))
a, b = (kinds[which[:, side]] + rng.normal(0, 0.05, (32, 6, 6)) for side in (0, 1))
same = (which[:, 0] == which[:, 1]).astype("float32").reshape(-1, 1)
model.compile(loss=contrastive, optimizer=tf.keras.optimizers.RMSprop(0.01), metrics=[near])
log = model.fit([a, b], same, batch_size=8, epochs=3, shuffle=False, verbose=0).history
print("loss", [f"{v:.3f}" for v in log["loss"]], "near", [f"{v:.3f}" for v in log["near"]])
print(model.predict([a, b], verbose=0).shape, tower.predict(a[:2], verbose=0).shape)
print("self", np.abs(model.predict([a, a], verbose=0)).max() < 1e-3)
by_name = model.predict({"left": a, "right": b}, verbose=0)
print(np.allclose(by_name, model.predict([a, b], verbose=0), atol=1e-5), len(model.trainable_weights))
