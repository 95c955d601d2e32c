"""Embeddings by triplets: a layer that gives two distances, and a model with its own steps."""

import numpy as np
import tensorflow as tf
from tensorflow.keras import layers, metrics


class Distances(layers.Layer):
    def call(self, anchor, positive, negative):
        near = tf.reduce_sum(tf.square(anchor - positive), -1)
        far = tf.reduce_sum(tf.square(anchor - negative), -1)
        return (near, far)


embedding = tf.keras.Sequential(
    [
        layers.Input((5,)),
        layers.Dense(8, activation="relu"),
        layers.Dense(3),
        layers.Lambda(lambda x: tf.math.l2_normalize(x, axis=1)),
    ]
)
names = ["anchor", "positive", "negative"]
inputs = [layers.Input(name=name, shape=(5,)) for name in names]
network = tf.keras.Model(inputs=inputs, outputs=Distances()(*[embedding(x) for x in inputs]))


class Triplets(tf.keras.Model):
    def __init__(self, network, margin=0.5):
        super().__init__()
        self.network, self.margin = network, margin
        self.loss_tracker = metrics.Mean(name="loss")

    def call(self, inputs):
        return self.network(inputs)

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = self.compute(data)
        gradients = tape.gradient(loss, self.network.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.network.trainable_weights))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    def test_step(self, data):
        self.loss_tracker.update_state(self.compute(data))
        return {"loss": self.loss_tracker.result()}

    def compute(self, data):
        near, far = self.network(data)
        return tf.maximum(near - far + self.margin, 0.0)

    @property
    def metrics(self):
        return [self.loss_tracker]


rng = np.random.default_rng(16)
embedding.set_weights([rng.normal(0, 0.4, w.shape) for w in embedding.get_weights()])
anchor = rng.normal(size=(24, 5)).astype("float32")
parts = (anchor, anchor + 0.1, rng.normal(size=(24, 5)).astype("float32"))
sets = tf.data.Dataset.zip(tuple(tf.data.Dataset.from_tensor_slices(part) for part in parts))
train, test = sets.take(16).batch(8), sets.skip(16).batch(8)
model = Triplets(network)
# As in the siamese example of Keras: no metrics, said with an empty list.
model.compile(optimizer=tf.keras.optimizers.Adam(0.01), weighted_metrics=[])
log = model.fit(train, epochs=3, validation_data=test, verbose=0).history
print("loss", [f"{v:.4f}" for v in log["loss"]], "val", [f"{v:.4f}" for v in log["val_loss"]])
near, far = model.predict([part[16:] for part in parts], verbose=0)
print(near.shape, far.shape, "closer", (near < far).mean())
similarity = tf.keras.metrics.CosineSimilarity()
print(f"{similarity(embedding(parts[0]), embedding(parts[1])).numpy():.4f}")
