import numpy as np
import tensorflow as tf
AUTOTUNE = tf.data.experimental.AUTOTUNE
def show(name, ds):
    print(name, [tf.nest.map_structure(lambda t: np.asarray(t).tolist() if not hasattr(t, "to_list") else t.to_list(), e) for e in ds])
ds = tf.data.Dataset.range(10)
show("window", ds.window(3, shift=2, drop_remainder=True).flat_map(lambda w: w.batch(3)))
show("interleave", tf.data.Dataset.range(1, 4).interleave(lambda x: tf.data.Dataset.from_tensors(x).repeat(x), cycle_length=2, block_length=1, num_parallel_calls=AUTOTUNE))
show("zip", tf.data.Dataset.zip((ds, ds.map(lambda v: v * v))).take(3))
show("concat", ds.take(2).concatenate(ds.skip(8)))
show("filter", ds.filter(lambda v: tf.equal(v % 3, 0)))
show("enumerate", ds.take(2).enumerate(start=5))
show("scan", ds.take(4).scan(tf.constant(0, tf.int64), lambda s, v: (s + v, s + v)))
show("unbatch", tf.data.Dataset.from_tensor_slices([[1, 2], [3, 4]]).unbatch())
show("padded", tf.data.Dataset.from_generator(lambda: iter([[1], [2, 3], [4, 5, 6]]), tf.int32, tf.TensorShape([None])).padded_batch(2, padded_shapes=[None], padding_values=-1))
show("shard", ds.shard(3, 1))
show("take_while", ds.take_while(lambda v: v < 4))
show("unique", tf.data.Dataset.from_tensor_slices([1, 1, 2, 3, 2]).unique())
show("rebatch", ds.batch(4).rebatch(3))
print(ds.reduce(tf.constant(0, tf.int64), lambda s, v: s + v).numpy(), ds.cardinality().numpy(), len(ds.batch(3)))
print(ds.batch(4, drop_remainder=True).element_spec, ds.repeat().cardinality().numpy() == tf.data.INFINITE_CARDINALITY)
d = tf.data.Dataset.from_tensor_slices({"a": [1, 2, 3], "b": ["x", "y", "z"]})
for e in d.take(1):
    print(sorted(e), e["a"].numpy(), e["b"].numpy())
print(d.element_spec)
m = d.map(lambda e: (e["a"] * 2, tf.strings.upper(e["b"])), num_parallel_calls=AUTOTUNE).cache().prefetch(AUTOTUNE)
show("map", m)
def load(x):
    return np.float32(x * 0.5)
def wrap(x):
    y = tf.numpy_function(load, [x], tf.float32)
    y.set_shape([])
    return y
show("numpy_function", ds.take(3).map(wrap))
show("py_function", ds.take(3).map(lambda v: tf.py_function(lambda t: t + 1, [v], tf.int64)))
g = tf.data.Dataset.from_generator(lambda: (({"x": i}, i * 2) for i in range(3)), output_signature=({"x": tf.TensorSpec((), tf.int32)}, tf.TensorSpec((), tf.float32)))
print(g.element_spec, [(a["x"].numpy(), b.numpy()) for a, b in g])
it = iter(ds.batch(4))
print(next(it).numpy().tolist(), it.get_next().numpy().tolist(), [b.shape for b in it])
lines = "a,b,c\n1,2.5,x\n3,,y\n"
with open("t.csv", "w") as table:
    table.write(lines)
show("text", tf.data.TextLineDataset("t.csv").skip(1))
csv = tf.data.experimental.make_csv_dataset("t.csv", batch_size=2, label_name="c", num_epochs=1, shuffle=False)
for f, l in csv:
    print({k: v.numpy().tolist() for k, v in f.items()}, l.numpy().tolist())
show("csv", tf.data.experimental.CsvDataset("t.csv", [tf.int32, tf.constant([0.0]), tf.string], header=True))
files = tf.data.Dataset.list_files("./*.csv", shuffle=False)
show("files", files)
opts = tf.data.Options()
opts.experimental_deterministic = True
opts.autotune.enabled = True
opts.threading.private_threadpool_size = 2
opts.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
print(ds.with_options(opts).options().deterministic)
show("bucket", tf.data.Dataset.from_generator(lambda: iter([[1], [1, 2], [1, 2, 3, 4], [5]]), tf.int32, [None]).bucket_by_sequence_length(lambda e: tf.shape(e)[0], [3], [2, 2]))
show("group", ds.group_by_window(lambda v: v % 2, lambda k, w: w.batch(5), window_size=5))
show("sample", tf.data.Dataset.choose_from_datasets([ds.take(2), ds.skip(8)], tf.data.Dataset.from_tensor_slices(np.array([0, 1, 1, 0]))))
s = tf.data.Dataset.sample_from_datasets([ds, ds], [0.5, 0.5], seed=1)
print(len(list(s)) >= 10, sorted(v.numpy() for v in ds.shuffle(5, seed=1, reshuffle_each_iteration=False)) == list(range(10)))
ds.save("saved"); show("load", tf.data.Dataset.load("saved").take(2))
print(list(ds.take(3).as_numpy_iterator()), ds.apply(lambda d: d.take(1)).get_single_element().numpy())
show("snapshot", ds.take(2).snapshot("snap"))
show("ragged", tf.data.Dataset.from_tensor_slices(tf.ragged.constant([[1], [2, 3]])))
show("ragged_batch", tf.data.Dataset.range(3).map(tf.range).ragged_batch(3))
left, right = tf.keras.utils.split_dataset(ds, left_size=0.7)
print(len(left), len(right), tf.data.experimental.cardinality(ds).numpy(), tf.data.experimental.get_single_element(ds.take(1)).numpy())
show("counter", tf.data.Dataset.counter(start=2, step=3).take(3))
show("random", tf.data.Dataset.random(seed=4).take(2).map(lambda v: v > -1))
show("map2", tf.data.Dataset.from_tensor_slices((np.arange(3), np.arange(3) * 10)).map(lambda a, b: {"s": a + b, "d": b - a}))
show("assert", ds.take(2).apply(tf.data.experimental.assert_cardinality(2)))
show("ignore", tf.data.Dataset.from_tensor_slices([1.0, 0.0, 2.0]).map(lambda v: tf.debugging.check_numerics(1.0 / v, "e")).ignore_errors())
