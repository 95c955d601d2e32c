"""Gradients through a step of training, weights perturbed and restored, averages, freezing by hand."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(51)
w1, b1 = tf.Variable(rng.normal(0, 0.3, (1, 8)), dtype=tf.float32), tf.Variable(tf.zeros(8))
w2, b2 = tf.Variable(rng.normal(0, 0.3, (8, 1)), dtype=tf.float32), tf.Variable(tf.zeros(1))
weights = [w1, b1, w2, b2]


def forward(x, weights):
    w1, b1, w2, b2 = weights
    return tf.matmul(tf.nn.tanh(tf.matmul(x, w1) + b1), w2) + b2


def loss_of(x, y, weights):
    return tf.reduce_mean(tf.square(forward(x, weights) - y))


optimizer = tf.keras.optimizers.SGD(0.05)


@tf.function
def meta_step(tasks):
    with tf.GradientTape() as outer:
        total = 0.0
        for x, y in tasks:
            with tf.GradientTape() as inner:
                inner_loss = loss_of(x[:5], y[:5], weights)
            grads = inner.gradient(inner_loss, weights)
            fast = [w - 0.1 * g for w, g in zip(weights, grads)]
            total += loss_of(x[5:], y[5:], fast)
        total /= len(tasks)
    optimizer.apply_gradients(zip(outer.gradient(total, weights), weights))
    return total


tasks = []
for phase in (0.0, 0.7):
    x = tf.constant(rng.uniform(-2, 2, (10, 1)), tf.float32)
    tasks.append((x, tf.sin(x + phase)))
print("meta", [f"{meta_step(tasks).numpy():.4f}" for _ in range(4)])
print(f"{tf.linalg.global_norm(weights).numpy():.4f}", f"{tf.add_n([tf.nn.l2_loss(w) for w in weights]).numpy():.4f}")


class Sharp(tf.keras.Model):
    """Steps from where the loss is worst nearby."""

    def __init__(self, net, radius=0.05):
        super().__init__()
        self.net, self.radius = net, radius

    def call(self, x):
        return self.net(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self(x) - y))
        gradients = tape.gradient(loss, self.trainable_variables)
        norm = tf.linalg.global_norm(gradients)
        moves = [self.radius * g / (norm + 1e-12) for g in gradients]
        for variable, move in zip(self.trainable_variables, moves):
            variable.assign_add(move)
        with tf.GradientTape() as tape:
            worst = tf.reduce_mean(tf.square(self(x) - y))
        gradients = tape.gradient(worst, self.trainable_variables)
        for variable, move in zip(self.trainable_variables, moves):
            variable.assign_sub(move)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        return {"loss": loss, "worst": worst}


net = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(4, "tanh"), tf.keras.layers.Dense(1)])
net.set_weights([rng.normal(0, 0.4, w.shape) for w in net.get_weights()])
model = Sharp(net)
model.compile(optimizer=tf.keras.optimizers.SGD(0.1))
x = rng.normal(size=(16, 3)).astype("float32")
log = model.fit(x, x[:, :1], batch_size=8, epochs=3, shuffle=False, verbose=0).history
print([f"{v:.4f}" for v in log["loss"]], all(w >= l - 1e-6 for w, l in zip(log["worst"], log["loss"])))

student = tf.keras.models.clone_model(net)
student.set_weights(net.get_weights())
distance = tf.keras.losses.KLDivergence()
optimizer = tf.keras.optimizers.Adam(0.01)
for step in range(3):
    with tf.GradientTape() as tape:
        soft = tf.nn.softmax(tf.concat([net(x), -net(x)], 1) / 2.0)
        guess = tf.nn.softmax(tf.concat([student(x) * 0.5, tf.zeros((16, 1))], 1))
        loss = distance(soft, guess)
    found = tape.gradient(loss, student.trainable_variables)
    optimizer.apply_gradients(zip(found, student.trainable_variables))
    print(f"{float(loss):.5f}", end=" ")
for target, source in zip(student.variables, net.variables):
    target.assign(0.9 * target + 0.1 * source)
print(np.round(student.get_weights()[0][0], 3).tolist())
