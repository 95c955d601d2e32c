"""Regressions and clusters by tensors and variables alone, and modules of one's own."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(46)
X = rng.normal(size=(60, 1)).astype("float32")
Y = 3.0 * X + 2.0 + 0.1 * rng.normal(size=(60, 1)).astype("float32")
w, b = tf.Variable(5.0, name="w"), tf.Variable(0.0, name="b")
for epoch in range(10):
    with tf.GradientTape() as t:
        loss = tf.reduce_mean(tf.square(Y - (w * X + b)))
    dw, db = t.gradient(loss, [w, b])
    w.assign_sub(0.1 * dw)
    b.assign_sub(0.1 * db)
    if epoch % 3 == 0:
        print("Epoch %2d: W=%1.2f b=%1.2f, loss=%2.5f" % (epoch, w.numpy(), b.numpy(), loss))
solved = tf.linalg.lstsq(tf.concat([X, tf.ones_like(X)], 1), Y)
print(np.round(solved.numpy().ravel(), 3).tolist(), w.name.split(":")[0], w.shape)


class Dense(tf.Module):
    def __init__(self, in_features, out_features, name=None):
        super().__init__(name=name)
        self.w = tf.Variable(tf.constant(rng.normal(0, 0.3, [in_features, out_features]), tf.float32), name="w")
        self.b = tf.Variable(tf.zeros([out_features]), name="b")

    def __call__(self, x):
        return tf.matmul(x, self.w) + self.b


class Net(tf.Module):
    def __init__(self, name=None):
        super().__init__(name=name)
        self.layers = [Dense(2, 8), Dense(8, 3)]

    @tf.function
    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = tf.nn.relu(layer(x))
        return self.layers[-1](x)


centres = np.array([[0, 0], [3, 3], [-3, 3]])
points = tf.constant(np.concatenate([rng.normal(c, 0.5, (20, 2)) for c in centres]), tf.float32)
labels = tf.repeat([0, 1, 2], 20)
net = Net(name="net")
print(len(net.trainable_variables), [v.name.split(":")[0] for v in net.variables][:2], len(net.submodules))


@tf.function
def step(x, y, rate):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=net(x)))
    for variable, gradient in zip(net.trainable_variables, tape.gradient(loss, net.trainable_variables)):
        variable.assign_sub(rate * gradient)
    return loss


for epoch in range(5):
    for x, y in tf.data.Dataset.from_tensor_slices((points, labels)).batch(30):
        loss = step(x, y, 0.2)
    print(f"{loss.numpy():.4f}", end=" ")
accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(net(points), 1, output_type=tf.int32), labels), tf.float32))
print(f"accuracy {accuracy:.3f}")


def k_means(points, centres, steps=5):
    for _ in tf.range(steps):
        distances = tf.reduce_sum(tf.square(points[:, tf.newaxis] - centres[tf.newaxis]), -1)
        nearest = tf.argmin(distances, axis=1)
        centres = tf.math.unsorted_segment_mean(points, nearest, num_segments=3)
    return centres, nearest


found, nearest = tf.function(k_means)(points, tf.gather(points, [0, 20, 40]))
print(np.round(found.numpy(), 3).tolist(), tf.math.bincount(tf.cast(nearest, tf.int32)).numpy().tolist())
centred = points - tf.reduce_mean(points, axis=0)
values, vectors = tf.linalg.eigh(tf.matmul(centred, centred, transpose_a=True) / 59.0)
s, u, v = tf.linalg.svd(centred)
print(np.round(values.numpy(), 3).tolist(), np.round((s**2 / 59).numpy(), 3).tolist(), np.abs(vectors.numpy()).round(3).tolist())
print(tf.linalg.det([[2.0, 1.0], [1.0, 3.0]]).numpy().round(3), tf.linalg.inv([[2.0, 0.0], [0.0, 4.0]]).numpy().tolist(), tf.norm([3.0, 4.0]).numpy())
print(tf.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [[2.0], [4.0]]).numpy().tolist(), tf.linalg.cholesky([[4.0, 2.0], [2.0, 5.0]]).numpy().tolist())
print(tf.tensordot(tf.constant([[1, 2]]), tf.constant([[3], [4]]), axes=1).numpy().tolist(), tf.einsum("ij,jk->ik", tf.ones((1, 1)), 2 * tf.ones((1, 1))).numpy().tolist(), tf.linalg.diag([1, 2]).numpy().tolist())
print(tf.linalg.trace([[1, 2], [3, 4]]).numpy(), tf.linalg.band_part(tf.ones((3, 3)), -1, 0).numpy().tolist(), tf.linalg.expm(tf.zeros((2, 2))).numpy().tolist())
