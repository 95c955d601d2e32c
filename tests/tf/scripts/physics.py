"""Derivatives of derivatives: an equation learnt by a net, Hessians, Jacobians, one's own gradients."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(43)
net = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(8, "tanh"), tf.keras.layers.Dense(8, "tanh"), tf.keras.layers.Dense(1)])
net.set_weights([rng.normal(0, 0.5, w.shape) for w in net.get_weights()])
x, t = (tf.constant(rng.random((12, 1)), dtype=tf.float32) for _ in range(2))


def residual(x, t):
    with tf.GradientTape(persistent=True) as outer:
        outer.watch([x, t])
        with tf.GradientTape(persistent=True) as inner:
            inner.watch([x, t])
            u = net(tf.concat([x, t], axis=1))
        u_x, u_t = inner.gradient(u, x), inner.gradient(u, t)
    u_xx = outer.gradient(u_x, x)
    del inner, outer
    return u_t + u * u_x - 0.01 * u_xx


optimizer = tf.keras.optimizers.Adam(0.01)


@tf.function
def step():
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(residual(x, t)))
        loss += tf.reduce_mean(tf.square(net(tf.concat([x, tf.zeros_like(t)], 1)) + tf.sin(np.pi * x)))
    found = tape.gradient(loss, net.trainable_variables)
    optimizer.apply_gradients(zip(found, net.trainable_variables))
    return loss


print("loss", [f"{step().numpy():.4f}" for _ in range(4)])
print("residual", f"{tf.reduce_mean(residual(x, t)).numpy():.4f}")

v = tf.Variable([1.0, 2.0])
with tf.GradientTape() as outer:
    with tf.GradientTape() as inner:
        y = v[0] ** 3 * v[1] + tf.exp(v[1])
    slope = inner.gradient(y, v)
hessian = outer.jacobian(slope, v)
print(np.round(slope.numpy(), 3).tolist(), np.round(hessian.numpy(), 3).tolist())
with tf.GradientTape() as tape:
    tape.watch(x)
    y = tf.concat([x**2, 3 * x], axis=1)
print(tape.batch_jacobian(y, x).shape, f"{tf.reduce_sum(y).numpy():.4f}")


@tf.custom_gradient
def clipped(x):
    def backward(upstream):
        return tf.clip_by_norm(upstream, 0.5)

    return tf.identity(x), backward


with tf.GradientTape() as tape:
    y = tf.reduce_sum(clipped(v) * 4.0)
print(np.round(tape.gradient(y, v).numpy(), 4).tolist())
with tf.GradientTape() as tape:
    y = tf.stop_gradient(v[0]) * v[1]
print(tape.gradient(y, v).numpy().tolist())
w = tf.Variable(3.0)
with tf.GradientTape() as tape:
    y = v[0] * 2
print(tape.gradient(y, w), end=" ")
with tf.GradientTape() as tape:
    y = v[0] * 2
print(tape.gradient(y, w, unconnected_gradients=tf.UnconnectedGradients.ZERO).numpy())
with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch(w)
    y = w * v[0]
    with tape.stop_recording():
        ignored = w * 100
print(tape.gradient(y, {"w": w, "v": v}), [variable is w for variable in tape.watched_variables()])
with tf.GradientTape() as tape:
    a = tf.cast(w, tf.float32)
    b = tf.math.log(tf.where(a > 0, a, 1.0))
print(f"{tape.gradient(b, w).numpy():.4f}")
with tf.GradientTape() as tape:
    z = tf.gather(v, [0, 0, 1])
grads = tape.gradient(z, v)
print(type(grads).__name__ in ("IndexedSlices", "ArrayImpl", "EagerTensor"), tf.convert_to_tensor(grads).numpy().tolist())
