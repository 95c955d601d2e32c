import os, json
import numpy as np
import tensorflow as tf
strategy = tf.distribute.MirroredStrategy()
print("Number of devices: {}".format(strategy.num_replicas_in_sync))
BATCH = 8 * strategy.num_replicas_in_sync
rng = np.random.RandomState(0)
x = rng.rand(32, 4).astype("float32"); y = rng.rand(32, 1).astype("float32")
train = tf.data.Dataset.from_tensor_slices((x, y)).cache().batch(BATCH)
with strategy.scope():
    model = tf.keras.Sequential([tf.keras.layers.Dense(4, activation="relu", input_shape=(4,)), tf.keras.layers.Dense(1)])
    model.compile(loss="mse", optimizer=tf.keras.optimizers.Adam(), metrics=["mae"])
model.fit(train, epochs=2, verbose=0)
print(len(model.evaluate(train, verbose=0)))
with strategy.scope():
    loss_object = tf.keras.losses.MeanSquaredError(reduction=tf.keras.losses.Reduction.NONE if hasattr(tf.keras.losses, "Reduction") else "none")
    def compute_loss(labels, predictions):
        return tf.nn.compute_average_loss(loss_object(labels, predictions), global_batch_size=BATCH)
    test_loss = tf.keras.metrics.Mean(name="test_loss")
    m = tf.keras.Sequential([tf.keras.layers.Dense(1, kernel_initializer="ones", input_shape=(4,))])
    opt = tf.keras.optimizers.SGD(0.1)
    ckpt = tf.train.Checkpoint(optimizer=opt, model=m)
dist = strategy.experimental_distribute_dataset(train)
def train_step(inputs):
    a, b = inputs
    with tf.GradientTape() as tape:
        p = m(a, training=True)
        loss = compute_loss(b, p)
    g = tape.gradient(loss, m.trainable_variables)
    opt.apply_gradients(zip(g, m.trainable_variables))
    test_loss.update_state(loss)
    return loss
@tf.function
def distributed_step(inputs):
    per_replica = strategy.run(train_step, args=(inputs,))
    return strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None)
for epoch in range(2):
    total, n = 0.0, 0
    for batch in dist:
        total += distributed_step(batch); n += 1
    print(epoch, round(float(total / n), 4), round(float(test_loss.result()), 4))
    test_loss.reset_state()
def value_fn(ctx):
    return tf.constant(ctx.replica_id_in_sync_group + 1.0) if hasattr(ctx, "replica_id_in_sync_group") else tf.constant(1.0)
v = strategy.experimental_distribute_values_from_function(value_fn)
print([float(t.numpy()) for t in strategy.experimental_local_results(v)])
def per_replica():
    ctx = tf.distribute.get_replica_context()
    return ctx.all_reduce(tf.distribute.ReduceOp.MEAN, tf.constant(3.0))
print(float(strategy.experimental_local_results(strategy.run(per_replica))[0]), tf.distribute.has_strategy(), tf.distribute.in_cross_replica_context())
ds = strategy.distribute_datasets_from_function(lambda ctx: tf.data.Dataset.range(4).batch(ctx.get_per_replica_batch_size(2)))
print([strategy.experimental_local_results(b)[0].numpy().tolist() for b in ds])
one = tf.distribute.OneDeviceStrategy(device="/cpu:0")
with one.scope():
    w = tf.Variable(1.0); print(tf.distribute.get_strategy() is one)
print(tf.distribute.get_strategy().num_replicas_in_sync, strategy.extended is not None)
try:
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    strategy = tf.distribute.TPUStrategy(resolver)
except ValueError as e:
    print("no TPU")
    strategy = tf.distribute.get_strategy()
print("REPLICAS: ", strategy.num_replicas_in_sync)
