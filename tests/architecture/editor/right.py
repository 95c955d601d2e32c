"""What people write, in all the styles they write it in. Everything here is right, and runs."""

import os
import tempfile

import numpy as np

import nacre
import nacre as keras
from nacre import Input, layers, ops
from nacre.callbacks import EarlyStopping, ModelCheckpoint
from nacre.layers import Conv2D, Dense, Flatten, MaxPool2D
from nacre.models import Model, Sequential, load_model
from nacre.optimizers import SGD, Adam
from nacre.utils import to_categorical

keras.utils.set_random_seed(1)
rng = np.random.default_rng(1)
images = rng.random((32, 8, 8, 1), dtype="float32")
labels = rng.integers(0, 3, 32)

# A stack.
model = Sequential(
    [
        Input(shape=(8, 8, 1)),
        Conv2D(4, (3, 3), activation="relu", padding="same", name="first"),
        MaxPool2D((2, 2)),
        Flatten(),
        layers.Dropout(0.1),
        Dense(3, activation="softmax", kernel_regularizer=keras.regularizers.l2(1e-4)),
    ]
)
model.compile(Adam(learning_rate=1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
folder = tempfile.mkdtemp()
path = os.path.join(folder, "best.keras")
history = model.fit(
    images,
    labels,
    epochs=2,
    validation_split=0.25,
    verbose=0,
    callbacks=[EarlyStopping(patience=2, restore_best_weights=True), ModelCheckpoint(path)],
)
last = history.history["loss"][-1]
print(f"{last:.3f}", max(history.history["val_accuracy"]), history.epoch, history.params)
loss, accuracy = model.evaluate(images, labels, verbose=0)
scores = model.evaluate(images, labels, verbose=0, return_dict=True)
predicted = model.predict(images, verbose=0).argmax(axis=-1)
print(loss < 9, accuracy <= 1, scores["accuracy"], (predicted == labels).mean())
model.summary()
for layer in model.layers:
    layer.trainable = False
    print(layer.name, layer.output.shape, len(layer.weights), layer.count_params())
print(model.layers[-1].kernel.shape, model.get_layer("first").kernel.numpy().mean())
model.save(path)
restored = load_model(path)
np.testing.assert_allclose(restored.predict(images, verbose=0), model.predict(images, verbose=0))
print(restored.optimizer.learning_rate, model.optimizer.iterations.numpy())

# Symbolic tensors.
inputs = keras.Input((8, 8, 1), name="picture")
x = layers.Conv2D(4, 3)(inputs)
x = layers.BatchNormalization()(x)
x = layers.Activation("relu")(x)
shortcut = x
x = layers.SeparableConv2D(4, 3, padding="same")(x)
x = layers.add([x, shortcut]) + ops.sqrt(ops.maximum(x, 1e-3)) * 0.5
x = x[:, 1:-1, ..., :] / (1.0 + ops.mean(x, axis=[1, 2], keepdims=True))
x = layers.GlobalAveragePooling2D()(x)
print(x.shape, x.dtype, x.shape[-1])
outputs = layers.Dense(3)(x)
functional = keras.Model(inputs=inputs, outputs=outputs, name="residual")
hidden = Model(functional.input, functional.layers[-2].output)
hidden_outputs = hidden(images[:2], training=False)
functional.compile(
    optimizer=SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9), momentum=0.9),
    loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
    metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
)
functional.fit(images, to_categorical(labels, 3), batch_size=8, verbose=0)

# Two inputs, two outputs, recurrent layers with states.
words = keras.Input(shape=(None,), dtype="int32", name="words")
prices = keras.Input(shape=(4,), name="prices")
embedded = layers.Embedding(input_dim=50, output_dim=8, mask_zero=True)(words)
sequence, state_h, state_c = layers.LSTM(6, return_sequences=True, return_state=True)(embedded)
attended = layers.MultiHeadAttention(num_heads=2, key_dim=3)(sequence, sequence)
pooled = layers.Concatenate()([layers.GlobalAveragePooling1D()(attended), state_h, state_c, prices])
rating = layers.Dense(1, name="rating")(pooled)
kind = layers.Dense(2, activation="softmax", name="kind")(layers.Dropout(0.2)(pooled))
both = keras.Model([words, prices], {"rating": rating, "kind": kind})
both.compile("adam", loss={"rating": "mse", "kind": "sparse_categorical_crossentropy"})
two = {"words": rng.integers(1, 50, (16, 5)), "prices": rng.random((16, 4))}
both.fit(two, {"rating": rng.random((16, 1)), "kind": rng.integers(0, 2, 16)}, verbose=0)
print(both.predict(two, verbose=0)["rating"].shape)


# Classes of one's own.
class Scale(layers.Layer):
    def __init__(self, start=1.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start
        self.supports_masking = True

    def build(self, input_shape):
        self.factor = self.add_weight(
            name="factor", shape=(input_shape[-1],), initializer="ones", trainable=True
        )
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs, training=False, mask=None):
        if training:
            self.count.assign_add(1.0)
            self.add_loss(1e-3 * ops.sum(ops.square(self.factor)))
        return inputs * self.factor * self.start

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = super().get_config()
        config.update({"start": self.start})
        return config


@keras.utils.register_keras_serializable(package="mine")
class Classifier(keras.Model):
    def __init__(self, units: int = 8, classes: int = 3):
        super().__init__()
        self.flatten = layers.Flatten()
        self.blocks = [layers.Dense(units, activation=keras.activations.gelu) for _ in range(2)]
        self.scale = Scale(0.5)
        self.head = layers.Dense(classes)
        self.seen = keras.Variable(0.0, trainable=False)

    def call(self, pictures, *, training: bool = False, return_features: bool = False):
        features = self.flatten(pictures)
        for block in self.blocks:
            features = block(features)
        features = self.scale(features, training=training)
        if return_features:
            return {"features": features, "norm": ops.norm(features, axis=-1)}
        return self.head(features)


class PairModel(keras.Model):
    def call(self, pair):
        left, right = pair
        return left @ ops.transpose(right)


class FocalLoss(keras.losses.Loss):
    def __init__(self, gamma=2.0, name="focal"):
        super().__init__(name=name)
        self.gamma = gamma

    def call(self, y_true, y_pred):
        chosen = ops.one_hot(ops.cast(y_true, "int32"), 3) * ops.softmax(y_pred)
        chance = ops.sum(chosen, axis=-1)
        return -((1.0 - chance) ** self.gamma) * ops.log(chance + keras.config.epsilon())


class Hits(keras.metrics.Metric):
    def __init__(self, name="hits", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_weight(name="total", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        hits = ops.equal(ops.cast(y_true, "int32"), ops.argmax(y_pred, axis=-1))
        self.total.assign_add(ops.sum(ops.cast(hits, "float32")))

    def result(self):
        return self.total

    def reset_state(self):
        self.total.assign(0.0)


class Watch(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.losses = []

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        self.losses.append(logs["loss"])
        if epoch > 5 and logs.get("loss", 0) > 100:
            self.model.stop_training = True
        print(epoch, float(self.model.optimizer.learning_rate))


def mean_error(y_true, y_pred):
    return ops.mean(ops.abs(ops.cast(y_true, "float32") - ops.argmax(y_pred, axis=-1)))


class Pairs(keras.utils.PyDataset):
    def __init__(self, x, y, batch_size=8, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y, self.batch_size = x, y, batch_size

    def __len__(self):
        return len(self.x) // self.batch_size

    def __getitem__(self, index):
        part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self.x[part], self.y[part]


mine = Classifier(units=8)
mine.compile(optimizer="adam", loss=FocalLoss(), metrics=[Hits(), mean_error])
watch = Watch()
mine.fit(Pairs(images, labels), epochs=2, callbacks=[watch], verbose=0)
print(watch.losses[-1] - watch.losses[0], mine.head.kernel.shape, mine.blocks[0].units)
logits = mine(images[:4])
parts = mine(images[:4], training=False, return_features=True)
print(logits.shape, np.asarray(logits).max(), [part.shape for part in parts.values()])
print(PairModel()((np.ones((2, 3)), np.ones((4, 3)))).shape)
mine.save_weights(os.path.join(folder, "mine.weights.h5"))
mine.load_weights(os.path.join(folder, "mine.weights.h5"))

# Text, numbers, pictures before training; learning rates; weights by hand.
vectorize = layers.TextVectorization(max_tokens=20, output_sequence_length=4)
vectorize.adapt(["one two three", "two three"])
print(vectorize(["three one"]).shape, vectorize.get_vocabulary()[:3])
normalize = layers.Normalization(axis=-1)
normalize.adapt(images.reshape(32, -1))
augment = keras.Sequential([layers.RandomFlip("horizontal"), layers.Rescaling(1 / 255.0)])
print(augment(images, training=True).shape, normalize.mean)
dense = layers.Dense(2, input_shape=(3,))
dense.build((None, 3))
dense.set_weights([np.zeros((3, 2)), np.ones(2)])
dense.kernel.assign(dense.kernel * 2.0 + 1)
assert dense.bias is not None
print(dense.get_weights()[0].sum(), float(ops.sum(dense.bias)), dense(np.ones((1, 3)))[0, 1])
copy = keras.models.clone_model(functional)
copy.set_weights(functional.get_weights())
rate = keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr * 0.9)
stack = keras.Sequential(name="stack")
stack.add(layers.Dense(int(np.prod((2, 2))), activation="tanh"))
stack.add(layers.Reshape((2, 2)))
stack.build(input_shape=(None, 3))
stack.compile(loss=lambda y_true, y_pred: ops.mean((y_true - y_pred) ** 2), optimizer="rmsprop")
stack.fit(np.ones((4, 3)), np.ones((4, 2, 2)), epochs=1, callbacks=[rate], verbose=0)
print(stack.train_on_batch(np.ones((4, 3)), np.ones((4, 2, 2))), stack.output_shape[1:])
print(keras.ops.convert_to_numpy(stack(np.ones((1, 3)))).tolist(), nacre.__version__)
