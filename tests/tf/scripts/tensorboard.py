"""Event files by the callback and by tf.summary, read again."""

import datetime
import glob
import os

import numpy as np
import tensorflow as tf

x = np.random.default_rng(37).normal(size=(32, 4)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
model = tf.keras.models.Sequential(
    [tf.keras.layers.Input((4,)), tf.keras.layers.Dense(8, activation="relu"), tf.keras.layers.Dense(2, activation="softmax")]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
log_dir = "logs/fit/" + datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
board = tf.keras.callbacks.TensorBoard(log_dir=log_dir, histogram_freq=1, update_freq="epoch")
model.fit(x=x, y=y, epochs=2, validation_data=(x, y), callbacks=[board], verbose=0)
print(sorted(os.listdir(log_dir)), [len(glob.glob(f"{log_dir}/{kind}/events*")) > 0 for kind in ("train", "validation")])

writer = tf.summary.create_file_writer("logs/own")
loss = tf.keras.metrics.Mean("loss", dtype=tf.float32)
with writer.as_default():
    for step in range(3):
        loss(step * 0.5)
        tf.summary.scalar("loss", loss.result(), step=step)
        tf.summary.histogram("weights", model.layers[0].kernel, step=step, buckets=5)
    tf.summary.image("pictures", np.zeros((2, 6, 6, 1)), max_outputs=2, step=0)
    tf.summary.text("note", "some **text**", step=0)
    tf.summary.audio("tone", tf.zeros((1, 100, 1)), sample_rate=1000, step=0)
    with tf.name_scope("inner"):
        tf.summary.scalar("value", 3.0, step=7)
writer.flush()
writer.close()
print(len(glob.glob("logs/own/events*")), os.path.getsize(glob.glob("logs/own/events*")[0]) > 500)


@tf.function
def traced(step):
    with other.as_default():
        tf.summary.scalar("in_graph", tf.cast(step, tf.float32) * 2, step=step)


other = tf.summary.create_file_writer("logs/graph")
for step in range(3):
    traced(tf.constant(step, tf.int64))
other.flush()
print(len(glob.glob("logs/graph/events*")))
with tf.summary.create_file_writer("logs/every").as_default():
    for step in range(6):
        with tf.summary.record_if(step % 3 == 0):
            tf.summary.scalar("third", step, step=step)
print(len(glob.glob("logs/every/events*")))
