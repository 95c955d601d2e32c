"""Checkpoints of models, optimizers, counters and data; managers; weights in TensorFlow's files."""

import os

import numpy as np
import tensorflow as tf


class Net(tf.keras.Model):
    def __init__(self):
        super(Net, self).__init__()
        self.l1 = tf.keras.layers.Dense(3)

    def call(self, x):
        return self.l1(x)


def toy():
    inputs = tf.range(10.0)[:, None]
    labels = inputs * 5.0 + tf.range(3.0)[None, :]
    return tf.data.Dataset.from_tensor_slices({"x": inputs, "y": labels}).repeat().batch(2)


def train_step(net, example, optimizer):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(net(example["x"]) - example["y"]))
    variables = net.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


rng = np.random.default_rng(34)
net, optimizer = Net(), tf.keras.optimizers.Adam(0.1)
net(tf.ones((1, 1)))
net.set_weights([rng.normal(0, 0.3, w.shape) for w in net.get_weights()])
iterator = iter(toy())
ckpt = tf.train.Checkpoint(step=tf.Variable(1), optimizer=optimizer, net=net)
manager = tf.train.CheckpointManager(ckpt, "./tf_ckpts", max_to_keep=2)
print(manager.latest_checkpoint, ckpt.restore(manager.latest_checkpoint) is not None)
for _ in range(6):
    loss = train_step(net, next(iterator), optimizer)
    ckpt.step.assign_add(1)
    if int(ckpt.step) % 2 == 0:
        path = manager.save()
        print(int(ckpt.step), os.path.basename(path), f"{loss.numpy():.4f}")
print([os.path.basename(p) for p in manager.checkpoints], os.path.basename(tf.train.latest_checkpoint("tf_ckpts")))
other, other_optimizer = Net(), tf.keras.optimizers.Adam(0.1)
restored = tf.train.Checkpoint(step=tf.Variable(0), optimizer=other_optimizer, net=other)
other(tf.ones((1, 1)))
status = restored.restore(tf.train.latest_checkpoint("tf_ckpts"))
status.expect_partial()
x = tf.constant([[2.0]])
print(int(restored.step), np.allclose(other(x), net(x)), np.round(net(x).numpy(), 4).tolist())
print(sorted(name.split("/")[0] for name, _ in tf.train.list_variables("tf_ckpts"))[-1])
reader = tf.train.load_checkpoint("tf_ckpts")
print("step/.ATTRIBUTES/VARIABLE_VALUE" in reader.get_variable_to_shape_map(), reader.get_tensor("step/.ATTRIBUTES/VARIABLE_VALUE"))

plain = tf.train.Checkpoint(v=tf.Variable([1.0, 2.0]), many=[tf.Variable(3), tf.Variable(4)])
saved = plain.save("plain/ck")
plain.v.assign([0.0, 0.0])
plain.restore(saved).assert_consumed()
print(plain.v.numpy().tolist(), int(plain.save_counter), os.path.exists("plain/ck-1.index"))
written = plain.write("plain/by_name")
plain.v.assign_add([1.0, 1.0])
plain.read(written)
print(plain.v.numpy().tolist(), plain.many[1].numpy())
late = Net()
try:
    tf.train.Checkpoint(wrong=tf.Variable(1)).restore(saved).assert_consumed()
except AssertionError:
    print("not all was used")
net.save_weights("own.weights.h5")
fresh = Net()
fresh(tf.ones((1, 1)))
fresh.load_weights("own.weights.h5")
print(np.allclose(fresh(x), net(x)), [w.shape for w in fresh.get_weights()])
