"""Losses and metrics of one's own, as functions and classes, in fit and by hand."""

import numpy as np
import tensorflow as tf
from tensorflow.keras import backend as K


class Focal(tf.keras.losses.Loss):
    def __init__(self, gamma=2.0, name="focal"):
        super().__init__(name=name)
        self.gamma = gamma

    def call(self, y_true, y_pred):
        y_true = tf.cast(y_true, y_pred.dtype)
        p = tf.clip_by_value(tf.where(y_true > 0.5, y_pred, 1 - y_pred), 1e-7, 1.0)
        return tf.reduce_mean(-tf.pow(1 - p, self.gamma) * tf.math.log(p), axis=-1)


class F1(tf.keras.metrics.Metric):
    def __init__(self, name="f1", **kwargs):
        super().__init__(name=name, **kwargs)
        self.hits = self.add_weight(name="hits", initializer="zeros")
        self.guessed = self.add_weight(name="guessed", initializer="zeros")
        self.real = self.add_weight(name="real", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, guess = tf.cast(y_true, tf.float32), tf.cast(y_pred > 0.5, tf.float32)
        self.hits.assign_add(tf.reduce_sum(y_true * guess))
        self.guessed.assign_add(tf.reduce_sum(guess))
        self.real.assign_add(tf.reduce_sum(y_true))

    def result(self):
        return 2 * self.hits / (self.guessed + self.real + K.epsilon())

    def reset_state(self):
        for variable in (self.hits, self.guessed, self.real):
            variable.assign(0.0)


def weighted(weight):
    def loss(y_true, y_pred):
        each = K.binary_crossentropy(K.cast(y_true, "float32"), y_pred)
        return K.mean(each * (1 + weight * K.cast(y_true, "float32")), axis=-1)

    return loss


def share(y_true, y_pred):
    return tf.reduce_mean(tf.cast(y_pred > 0.5, tf.float32))


rng = np.random.default_rng(30)
x = rng.normal(size=(32, 4)).astype("float32")
y = (x.sum(1, keepdims=True) > 0).astype("int64")
for loss in (Focal(), weighted(2.0), "binary_crossentropy", tf.keras.losses.BinaryFocalCrossentropy(gamma=1.0)):
    model = tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(6, "tanh"), tf.keras.layers.Dense(1, "sigmoid")])
    start = np.random.default_rng(31)
    model.set_weights([start.normal(0, 0.4, w.shape) for w in model.get_weights()])
    model.compile(tf.keras.optimizers.Adam(0.02), loss, metrics=[F1(), share, tf.keras.metrics.AUC(num_thresholds=50), "accuracy"])
    log = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    print(sorted(k.split("_")[0] for k in log), [f"{v:.4f}" for v in log["loss"]], f"{log['f1'][-1]:.3f} {log['share'][-1]:.3f}")
a, b = tf.constant([[0.0, 1.0], [1.0, 0.0]]), tf.constant([[0.2, 0.7], [0.6, 0.4]])
for kind in ("mse", "mae", "binary_crossentropy", "categorical_crossentropy", "kl_divergence", "hinge", "log_cosh", "poisson", "cosine_similarity"):
    print(kind, np.round(tf.keras.losses.get(kind)(a, b).numpy(), 4).tolist())
for kind in (tf.keras.losses.Huber(0.3), tf.keras.losses.MeanSquaredLogarithmicError(), tf.keras.losses.CategoricalCrossentropy(label_smoothing=0.1)):
    print(type(kind).__name__, f"{kind(a, b).numpy():.5f}", f"{kind(a, b, sample_weight=[1.0, 0.5]).numpy():.5f}")
for metric in (tf.keras.metrics.Precision(), tf.keras.metrics.Recall(thresholds=0.3), tf.keras.metrics.RootMeanSquaredError(), tf.keras.metrics.TruePositives(), tf.keras.metrics.TopKCategoricalAccuracy(k=1)):
    metric.update_state(a, b)
    print(metric.name.rstrip("_0123456789"), f"{float(np.mean(metric.result().numpy())):.4f}")
mean = tf.keras.metrics.Mean()
mean.update_state([1, 2, 3], sample_weight=[0, 1, 1])
print(mean.result().numpy(), tf.math.confusion_matrix([0, 1, 1], [0, 1, 0]).numpy().tolist())
