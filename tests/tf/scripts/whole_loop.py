import time
import datetime
import numpy as np
import tensorflow as tf
(x_train, y_train) = np.random.RandomState(0).rand(40, 28, 28).astype("float32"), np.random.RandomState(1).randint(0, 10, 40)
x_train = x_train[..., tf.newaxis].astype("float32")
train_ds = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(10000).batch(16)
test_ds = tf.data.Dataset.from_tensor_slices((x_train[:20], y_train[:20])).batch(16)

class MyModel(tf.keras.Model):
    def __init__(self):
        super(MyModel, self).__init__()
        self.conv1 = tf.keras.layers.Conv2D(4, 3, activation="relu", strides=2)
        self.flatten = tf.keras.layers.Flatten()
        self.d1 = tf.keras.layers.Dense(8, activation="relu")
        self.d2 = tf.keras.layers.Dense(10)
    def call(self, x):
        x = self.conv1(x)
        x = self.flatten(x)
        x = self.d1(x)
        return self.d2(x)

model = MyModel()
loss_object = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
optimizer = tf.keras.optimizers.Adam()
train_loss = tf.keras.metrics.Mean(name="train_loss")
train_accuracy = tf.keras.metrics.SparseCategoricalAccuracy(name="train_accuracy")
test_loss = tf.keras.metrics.Mean(name="test_loss")
test_accuracy = tf.keras.metrics.SparseCategoricalAccuracy(name="test_accuracy")

@tf.function
def train_step(images, labels):
    with tf.GradientTape() as tape:
        predictions = model(images, training=True)
        per_example = loss_object(labels, predictions)
        loss = tf.nn.compute_average_loss(per_example, global_batch_size=16)
        loss += tf.add_n([tf.nn.l2_loss(v) for v in model.trainable_variables if "bias" not in v.name]) * 1e-4
    gradients = tape.gradient(loss, model.trainable_variables)
    gradients, norm = tf.clip_by_global_norm(gradients, 1.0)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    train_loss(loss)
    train_accuracy(labels, predictions)
    return norm

@tf.function
def test_step(images, labels):
    predictions = model(images, training=False)
    t_loss = loss_object(labels, predictions)
    test_loss(t_loss)
    test_accuracy(labels, predictions)

logs = "logs/" + datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
writer = tf.summary.create_file_writer(logs)
ckpt = tf.train.Checkpoint(step=tf.Variable(1), optimizer=optimizer, net=model)
manager = tf.train.CheckpointManager(ckpt, "./ckpts", max_to_keep=2)
best = float("inf")
for epoch in range(3):
    start = time.time()
    train_loss.reset_state()
    train_accuracy.reset_state()
    test_loss.reset_state()
    test_accuracy.reset_state()
    for step, (images, labels) in enumerate(train_ds):
        norm = train_step(images, labels)
        ckpt.step.assign_add(1)
        if step % 2 == 0:
            tf.print("step", step, output_stream="file://steps.txt")
    for images, labels in test_ds:
        test_step(images, labels)
    with writer.as_default():
        tf.summary.scalar("loss", train_loss.result(), step=epoch)
        tf.summary.scalar("accuracy", train_accuracy.result(), step=epoch)
        tf.summary.histogram("kernel", model.d1.kernel, step=epoch)
        tf.summary.image("first", images[:1], step=epoch)
    path = manager.save()
    template = "Epoch {}, Loss: {:5s}, Accuracy: {}"
    print(template.format(epoch + 1, "fine" if np.isfinite(train_loss.result().numpy()) else "bad", 0 <= train_accuracy.result() * 100 <= 100))
    if test_loss.result() < best:
        best = test_loss.result()
    took = time.time() - start
writer.flush(); writer.close()
print(path, int(ckpt.step), len(manager.checkpoints), optimizer.iterations.numpy())
status = ckpt.restore(manager.latest_checkpoint)
status.assert_existing_objects_matched()
print(tf.train.latest_checkpoint("./ckpts") == manager.latest_checkpoint, [n for n, s in tf.train.list_variables("./ckpts") if n.startswith("step")])
with open("steps.txt") as steps_file:
    print(steps_file.read().split()[:4])
print(f"{float(norm):.1f}" != "nan", train_step.experimental_get_tracing_count() >= 1)
