"""MirroredStrategy with fit and with a loop of one's own; mixed precision; devices."""

import numpy as np
import tensorflow as tf

print(len(tf.config.list_physical_devices("GPU")), len(tf.config.experimental.list_physical_devices("CPU")), tf.test.is_built_with_cuda() in (True, False))
for gpu in tf.config.list_physical_devices("GPU"):
    tf.config.experimental.set_memory_growth(gpu, True)
strategy = tf.distribute.MirroredStrategy()
print("replicas", strategy.num_replicas_in_sync)
GLOBAL_BATCH = 8 * strategy.num_replicas_in_sync
rng = np.random.default_rng(38)
x = rng.normal(size=(16, 5)).astype("float32")
y = rng.integers(0, 3, 16)
with strategy.scope():
    model = tf.keras.Sequential([tf.keras.Input((5,)), tf.keras.layers.Dense(6, activation="relu"), tf.keras.layers.Dense(3)])
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    optimizer = tf.keras.optimizers.Adam(0.01)
    loss_object = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=tf.keras.losses.Reduction.NONE)
    accuracy = tf.keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    def compute_loss(labels, logits):
        return tf.nn.compute_average_loss(loss_object(labels, logits), global_batch_size=GLOBAL_BATCH)


data = tf.data.Dataset.from_tensor_slices((x, y)).batch(GLOBAL_BATCH)
spread = strategy.experimental_distribute_dataset(data)


def step(batch):
    pictures, labels = batch
    with tf.GradientTape() as tape:
        logits = model(pictures, training=True)
        loss = compute_loss(labels, logits)
    found = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(found, model.trainable_variables))
    accuracy.update_state(labels, logits)
    return loss


@tf.function
def distributed_step(batch):
    each = strategy.run(step, args=(batch,))
    return strategy.reduce(tf.distribute.ReduceOp.SUM, each, axis=None)


for epoch in range(2):
    total = sum(distributed_step(batch) for batch in spread)
    print(f"epoch {epoch + 1}: {total.numpy() / len(data):.4f} {accuracy.result().numpy():.4f}")
    accuracy.reset_state()
with strategy.scope():
    model.compile(tf.keras.optimizers.SGD(0.1), loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
log = model.fit(data, epochs=2, verbose=0).history
print([f"{v:.4f}" for v in log["loss"]])
single = tf.distribute.get_strategy()
print(type(single).__name__ != "", single.num_replicas_in_sync)
one = tf.distribute.OneDeviceStrategy("/cpu:0")
print(one.run(lambda a: a + 1, args=(tf.constant(1),)).numpy())
with tf.device("/CPU:0"):
    print(tf.matmul(tf.ones((2, 2)), tf.ones((2, 1))).numpy().tolist())

policy = tf.keras.mixed_precision.Policy("mixed_bfloat16")
tf.keras.mixed_precision.set_global_policy(policy)
print(policy.compute_dtype, policy.variable_dtype, tf.keras.mixed_precision.global_policy().name)
inputs = tf.keras.Input((5,))
dense = tf.keras.layers.Dense(4, activation="relu")
hidden = dense(inputs)
outputs = tf.keras.layers.Activation("softmax", dtype="float32")(tf.keras.layers.Dense(3)(hidden))
mixed = tf.keras.Model(inputs, outputs)
print(dense.kernel.dtype, dense.compute_dtype, outputs.dtype)
mixed.compile("rmsprop", "sparse_categorical_crossentropy")
print("finite", np.isfinite(mixed.fit(x, y, epochs=1, verbose=0).history["loss"][0]))
tf.keras.mixed_precision.set_global_policy("float32")
