import numpy as np
from tensorflow.keras import backend as K
import tensorflow as tf
x = K.variable(np.arange(6).reshape(2, 3), dtype="float32")
y = K.constant([[1.0, 0.0, 2.0], [3.0, 4.0, 5.0]])
for name in "exp log1p_ abs sign square sqrt round tanh sigmoid softmax softplus softsign relu elu".split():
    f = getattr(K, name, None)
    if f is not None:
        print(name, np.round(K.eval(f(y)), 4).tolist())
for name in "sum mean max min prod std var argmax argmin any all cumsum cumprod logsumexp".split():
    f = getattr(K, name, None)
    if f is not None:
        print(name, np.round(K.get_value(f(y, axis=1)).astype("float64"), 4).tolist())
print(K.eval(K.dot(x, K.transpose(y))).tolist())
print(K.eval(K.batch_dot(K.expand_dims(x, 1), K.expand_dims(y, 2))).tolist())
print(K.eval(K.concatenate([x, y], axis=-1)).shape, K.eval(K.stack([x, y])).shape)
print(K.eval(K.clip(y, 1, 3)).tolist(), K.eval(K.pow(y, 2)).tolist())
print(K.eval(K.switch(K.greater(y, 2), y, K.zeros_like(y))).tolist())
print(K.eval(K.one_hot(K.constant([0, 2], dtype="int32"), 3)).tolist())
print(K.eval(K.l2_normalize(y, axis=-1)).round(4).tolist())
print(K.eval(K.repeat_elements(x, 2, axis=0)).shape, K.eval(K.repeat(x, 4)).shape, K.eval(K.tile(x, [2, 1])).shape)
print(K.eval(K.flatten(x)).tolist(), K.eval(K.batch_flatten(K.ones((2, 3, 4)))).shape)
print(K.eval(K.permute_dimensions(K.ones((2, 3, 4)), (2, 0, 1))).shape, K.eval(K.squeeze(K.ones((2, 1)), 1)).shape)
print(K.eval(K.gather(x, K.constant([1, 0], dtype="int32"))).tolist(), K.count_params(x), K.dtype(x), K.shape(x).numpy().tolist())
print(K.eval(K.binary_crossentropy(K.constant([1.0, 0.0]), K.constant([0.9, 0.2]))).round(4).tolist())
print(K.eval(K.categorical_crossentropy(K.constant([[0.0, 1.0]]), K.constant([[0.3, 0.7]]))).round(4).tolist())
print(K.eval(K.sparse_categorical_crossentropy(K.constant([1]), K.constant([[0.3, 0.7]]))).round(4).tolist())
print(K.eval(K.in_top_k(K.constant([[0.1, 0.9], [0.8, 0.2]]), K.constant([1, 1], dtype="int32"), 1)).tolist())
print(K.eval(K.hard_sigmoid(y)).round(4).tolist())
print(K.eval(K.maximum(x, y)).tolist(), K.eval(K.equal(x, y)).tolist(), K.eval(K.not_equal(x, y)).sum())
K.update_add(x, K.ones_like(x)); K.update(x, x * 2); K.update_sub(x, K.ones((2, 3)))
print(K.eval(x).tolist())
print(K.eval(K.arange(0, 6, 2)).tolist(), K.eval(K.eye(2)).tolist(), K.eval(K.reverse(y, 1)).tolist())
print(K.eval(K.temporal_padding(K.ones((1, 2, 1)), (1, 1))).ravel().tolist(), K.eval(K.spatial_2d_padding(K.ones((1, 1, 1, 1)))).shape)
print(K.eval(K.conv2d(K.ones((1, 4, 4, 1)), K.ones((3, 3, 1, 1)))).ravel().tolist(), K.eval(K.pool2d(K.ones((1, 4, 4, 1)), (2, 2), (2, 2))).shape)
print(K.eval(K.resize_images(K.ones((1, 2, 2, 1)), 2, 2, "channels_last")).shape, K.eval(K.bias_add(y, K.constant([1.0, 2.0, 3.0]))).tolist())
print(K.eval(K.map_fn(lambda r: r * 2, y)).tolist(), K.eval(K.foldl(lambda a, b: a + b, y)).tolist(), K.eval(K.foldr(lambda a, b: a - b, y)).tolist())
print(K.eval(K.cast(y, "int32")).dtype, K.cast_to_floatx([1, 2]).dtype, K.get_uid("z"), K.get_uid("z"))
print(K.eval(K.ctc_label_dense_to_sparse(K.constant([[1, 2]], dtype="int32"), K.constant([2], dtype="int32"))) is not None)
with K.name_scope("s"):
    print(K.eval(K.random_normal((2, 2))).shape, K.eval(K.random_uniform((3,))).shape, K.eval(K.random_bernoulli((4,), 0.5)).shape, K.eval(K.truncated_normal((2,))).shape)
print(K.learning_phase() in (0, 1, False) or True, K.in_train_phase(1.0, 2.0, training=False), K.in_test_phase(1.0, 2.0, training=False))
