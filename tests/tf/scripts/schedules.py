"""Learning rates over steps, optimizers of every kind, clipping, decay, averages."""

import numpy as np
import tensorflow as tf

S = tf.keras.optimizers.schedules
schedules = {
    "exponential": S.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5),
    "staircase": S.ExponentialDecay(0.1, 10, 0.5, staircase=True),
    "pieces": S.PiecewiseConstantDecay([5, 15], [1.0, 0.5, 0.1]),
    "polynomial": S.PolynomialDecay(0.1, 20, end_learning_rate=0.01, power=2.0),
    "inverse": S.InverseTimeDecay(0.1, decay_steps=5, decay_rate=0.5),
    "cosine": S.CosineDecay(0.1, decay_steps=20, alpha=0.1),
    "restarts": S.CosineDecayRestarts(0.1, first_decay_steps=8),
}
for name, schedule in schedules.items():
    print(name, [f"{float(schedule(step)):.4f}" for step in (0, 4, 10, 16, 30)])


class Warm(S.LearningRateSchedule):
    def __init__(self, after, steps):
        super().__init__()
        self.after, self.steps = after, steps

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        return tf.cond(step < self.steps, lambda: step / self.steps * 0.1, lambda: self.after(step - self.steps))

    def get_config(self):
        return {"after": self.after, "steps": self.steps}


rng = np.random.default_rng(33)
x = rng.normal(size=(16, 3)).astype("float32")
y = rng.normal(size=(16, 1)).astype("float32")
start = [rng.normal(0, 0.3, (3, 1)).astype("float32"), np.zeros(1, "float32")]
O = tf.keras.optimizers
optimizers = [
    O.SGD(0.1, momentum=0.9, nesterov=True),
    O.Adam(S.ExponentialDecay(0.1, 2, 0.5)),
    O.Adam(Warm(schedules["cosine"], 4)),
    O.RMSprop(0.01, rho=0.8, centered=True),
    O.Adagrad(0.1),
    O.Adadelta(1.0),
    O.Adamax(0.02),
    O.Nadam(0.02),
    O.Ftrl(0.1),
    O.AdamW(0.02, weight_decay=0.05),
    O.Adam(0.02, amsgrad=True, clipnorm=0.1),
    O.SGD(0.1, clipvalue=0.05),
    O.Adam(0.02, global_clipnorm=0.2),
    O.Lion(0.01),
    O.Adafactor(0.05),
]
for optimizer in optimizers:
    model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(1)])
    model.set_weights(start)
    model.compile(optimizer, "mse")
    log = model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"]
    print(type(optimizer).__name__, [f"{v:.4f}" for v in log], int(optimizer.iterations))
w = tf.Variable([1.0, 2.0])
sgd = O.SGD(learning_rate=0.5)
for _ in range(2):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(w**2)
    sgd.apply_gradients([(tape.gradient(loss, w), w)])
print(w.numpy().tolist(), sgd.get_config()["momentum"], float(sgd.learning_rate))
sgd.learning_rate = 0.1
sgd.learning_rate.assign(0.25)
print(float(sgd.lr if hasattr(sgd, "lr") else sgd.learning_rate), tf.keras.optimizers.get("adam").__class__.__name__)
grads, norm = tf.clip_by_global_norm([tf.constant([3.0, 4.0]), tf.constant([0.0])], 1.0)
print(norm.numpy(), np.round(grads[0].numpy(), 3).tolist())
average = tf.train.ExponentialMovingAverage(decay=0.9)
average.apply([w])
w.assign([0.0, 0.0])
average.apply([w])
print(np.round(average.average(w).numpy(), 4).tolist(), S.deserialize(S.serialize(schedules["cosine"])).get_config()["alpha"])
