"""Records written and read: features of every kind, sequences, shards, compression."""

import numpy as np
import tensorflow as tf


def bytes_feature(value):
    if isinstance(value, type(tf.constant(0))):
        value = value.numpy()
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def float_feature(values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def int_feature(value):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def example(picture, label, weights):
    feature = {
        "picture": bytes_feature(tf.io.encode_png(picture)),
        "raw": bytes_feature(tf.io.serialize_tensor(tf.cast(picture, tf.float32))),
        "label": int_feature(label),
        "weights": float_feature(weights),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature))


rng = np.random.RandomState(24)
pictures = rng.randint(0, 255, (6, 4, 4, 3)).astype("uint8")
for shard in range(2):
    with tf.io.TFRecordWriter(f"data-{shard}.tfrecord") as writer:
        for number in range(3 * shard, 3 * shard + 3):
            writer.write(example(pictures[number], number, [0.5 * number] * (number % 3)).SerializeToString())

description = {
    "picture": tf.io.FixedLenFeature([], tf.string),
    "raw": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64, default_value=-1),
    "weights": tf.io.VarLenFeature(tf.float32),
    "missing": tf.io.FixedLenFeature([2], tf.float32, default_value=[1.0, 2.0]),
}


def parse(record):
    found = tf.io.parse_single_example(record, description)
    picture = tf.io.decode_image(found["picture"], expand_animations=False)
    raw = tf.io.parse_tensor(found["raw"], out_type=tf.float32)
    return picture, raw, found["label"], tf.sparse.to_dense(found["weights"]), found["missing"]


files = sorted(tf.io.gfile.glob("data-*.tfrecord"))
data = tf.data.TFRecordDataset(files).map(parse)
for picture, raw, label, weights, missing in data:
    same = np.array_equal(picture, pictures[int(label)]) and np.array_equal(raw, picture)
    print(label.numpy(), same, weights.numpy().tolist(), missing.numpy().tolist())
print(len(files), sum(1 for _ in tf.data.TFRecordDataset(files, num_parallel_reads=2)))

options = tf.io.TFRecordOptions(compression_type="GZIP")
with tf.io.TFRecordWriter("small.gz", options) as writer:
    for number in range(4):
        writer.write(tf.io.serialize_tensor(tf.range(number)).numpy())
for record in tf.data.TFRecordDataset("small.gz", compression_type="GZIP"):
    print(tf.io.parse_tensor(record, tf.int32).numpy().tolist(), end=" ")
print()
message = tf.train.Example.FromString(next(iter(tf.data.TFRecordDataset(files[:1]))).numpy())
print(message.features.feature["label"].int64_list.value[0], sorted(message.features.feature))
batch = tf.data.TFRecordDataset(files).batch(3).map(lambda r: tf.io.parse_example(r, {"label": tf.io.FixedLenFeature((), tf.int64)}))
print([b["label"].numpy().tolist() for b in batch])
steps = tf.train.FeatureList(feature=[int_feature(1), int_feature(5)])
sequence = tf.train.SequenceExample(
    context=tf.train.Features(feature={"length": int_feature(2)}), feature_lists=tf.train.FeatureLists(feature_list={"steps": steps})
)
context, lists = tf.io.parse_single_sequence_example(
    sequence.SerializeToString(),
    context_features={"length": tf.io.FixedLenFeature([], tf.int64)},
    sequence_features={"steps": tf.io.FixedLenSequenceFeature([], tf.int64)},
)
print(context["length"].numpy(), lists["steps"].numpy().tolist())
interleaved = tf.data.Dataset.from_tensor_slices(files).interleave(tf.data.TFRecordDataset, cycle_length=2, block_length=1)
print([int(parse(r)[2]) for r in interleaved])
