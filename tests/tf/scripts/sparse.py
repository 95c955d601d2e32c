"""Sparse tensors: made, reordered, multiplied, and a graph convolution over a sparse matrix."""

import numpy as np
import tensorflow as tf

x = tf.sparse.SparseTensor(indices=[[0, 1], [2, 0], [2, 3]], values=[1.0, 2.0, 3.0], dense_shape=[3, 4])
print(x.shape, x.dtype, x.indices.numpy().tolist(), x.values.numpy().tolist(), x.dense_shape.numpy().tolist())
print(tf.sparse.to_dense(x).numpy().tolist(), tf.sparse.to_dense(x, default_value=-1.0).numpy()[0].tolist())
dense = tf.constant(np.arange(8).reshape(4, 2), tf.float32)
print(tf.sparse.sparse_dense_matmul(x, dense).numpy().tolist())
print(tf.sparse.sparse_dense_matmul(x, tf.ones((3, 1)), adjoint_a=True).numpy().ravel().tolist())
print(tf.sparse.reduce_sum(x, axis=1).numpy().tolist(), tf.sparse.from_dense([[0, 1], [2, 0]]).values.numpy().tolist())
y = tf.sparse.reorder(tf.SparseTensor([[1, 0], [0, 1]], [5, 6], [2, 2]))
print(y.values.numpy().tolist(), tf.sparse.transpose(y).indices.numpy().tolist(), tf.sparse.concat(1, [y, y]).shape)
print(tf.sparse.to_dense(tf.sparse.add(y, y)).numpy().tolist(), tf.sparse.to_dense(tf.sparse.slice(x, [1, 0], [2, 2])).numpy().tolist())
print(tf.sparse.retain(x, [True, False, True]).values.numpy().tolist(), tf.sparse.reshape(x, [4, 3]).indices.numpy().tolist())
print((x * 2.0).values.numpy().tolist(), tf.sparse.to_indicator(tf.SparseTensor([[0, 0], [1, 0]], [2, 1], [2, 1]), 4).numpy().tolist())
print(tf.sparse.softmax(x).values.numpy().round(4).tolist())
print(isinstance(x, tf.SparseTensor), tf.sparse.eye(2).values.numpy().tolist(), tf.sparse.maximum(x, x).values.numpy().tolist())


class GraphConvolution(tf.keras.layers.Layer):
    def __init__(self, units, adjacency, activation=None):
        super().__init__()
        self.units, self.adjacency = units, adjacency
        self.activation = tf.keras.activations.get(activation)

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units), initializer="glorot_uniform", name="kernel")

    def call(self, nodes):
        return self.activation(tf.sparse.sparse_dense_matmul(self.adjacency, tf.matmul(nodes, self.kernel)))


rng = np.random.default_rng(27)
edges = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [4, 5]])
matrix = np.eye(6)
matrix[edges[:, 0], edges[:, 1]] = matrix[edges[:, 1], edges[:, 0]] = 1
degree = 1 / np.sqrt(matrix.sum(1))
matrix = (degree[:, None] * matrix * degree[None]).astype("float32")
rows, columns = np.nonzero(matrix)
adjacency = tf.SparseTensor(np.stack([rows, columns], 1), matrix[rows, columns], (6, 6))
features = tf.constant(rng.normal(size=(6, 3)), tf.float32)
labels = tf.constant([0, 0, 0, 0, 1, 1])
model = tf.keras.Sequential([GraphConvolution(4, adjacency, "relu"), GraphConvolution(2, adjacency)])
model(features)
model.set_weights([rng.normal(0, 0.5, w.shape) for w in model.get_weights()])
optimizer = tf.keras.optimizers.Adam(0.05)
mask = tf.constant([True, False, True, False, True, False])


@tf.function
def step():
    with tf.GradientTape() as tape:
        logits = model(features)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        loss = tf.reduce_mean(tf.boolean_mask(loss, mask))
    weights = model.trainable_weights
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
    return loss


print("loss", [f"{step().numpy():.4f}" for _ in range(4)])
messages = tf.gather(features, edges[:, 0])
gathered = tf.math.unsorted_segment_sum(messages, edges[:, 1], num_segments=6)
print("messages", np.round(tf.reduce_sum(gathered, axis=1).numpy(), 4).tolist())
print("scattered", np.allclose(tf.tensor_scatter_nd_add(tf.zeros((6, 3)), edges[:, 1:], messages), gathered))
