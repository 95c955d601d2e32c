"""Models with several inputs and outputs, shared layers, weights of losses, dicts and generators."""

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

title = keras.Input(shape=(None,), name="title", dtype="int32")
body = keras.Input(shape=(None,), name="body")
tags = keras.Input(shape=(4,), name="tags")
embed = layers.Embedding(20, 6)
x = layers.concatenate([layers.LSTM(5)(embed(title)), layers.GlobalMaxPooling1D()(embed(body)), tags])
priority = layers.Dense(1, name="priority")(x)
department = layers.Dense(3, name="department")(x)
model = keras.Model(inputs=[title, body, tags], outputs={"priority": priority, "department": department})
rng = np.random.default_rng(40)
model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
model.compile(
    optimizer=keras.optimizers.RMSprop(1e-2),
    loss={
        "priority": keras.losses.BinaryCrossentropy(from_logits=True),
        "department": keras.losses.CategoricalCrossentropy(from_logits=True),
    },
    loss_weights={"priority": 1.0, "department": 0.2},
    metrics={"department": ["accuracy"]},
)
data = {
    "title": rng.integers(1, 20, (16, 5)),
    "body": rng.integers(1, 20, (16, 7)),
    "tags": rng.integers(0, 2, (16, 4)).astype("float32"),
}
targets = {"priority": rng.integers(0, 2, (16, 1)).astype("float32"), "department": np.eye(3)[rng.integers(0, 3, 16)]}
log = model.fit(data, targets, epochs=2, batch_size=8, shuffle=False, verbose=0).history
print(sorted(log), [f"{v:.4f}" for v in log["loss"]])
found = model.predict(data, verbose=0)
print({name: found[name].shape for name in sorted(found)})
scores = model.evaluate(data, targets, verbose=0, return_dict=True)
print({name: f"{scores[name]:.3f}" for name in sorted(scores) if name != "loss"}, f"{scores['loss']:.4f}")
dataset = tf.data.Dataset.from_tensor_slices((data, targets)).batch(4)
print(f"{model.fit(dataset, epochs=1, verbose=0).history['loss'][0]:.4f}")

a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
shared = layers.Dense(4, activation="tanh")
total = layers.Add()([shared(a), shared(b)])
product = layers.Multiply()([shared(a), shared(b)])
two = keras.Model([a, b], [layers.Dense(1, name="first")(total), layers.Dense(1, name="second")(layers.Dot(axes=1)([total, product]))])
two.set_weights([rng.normal(0, 0.3, w.shape) for w in two.get_weights()])
two.compile("sgd", loss=["mse", "mae"], loss_weights=[1.0, 0.5], metrics=[["mae"], ["mse"]])
xs = [rng.normal(size=(8, 3)) for _ in range(2)]
ys = [rng.normal(size=(8, 1)) for _ in range(2)]
log = two.fit(xs, ys, epochs=2, shuffle=False, verbose=0, validation_data=(xs, ys)).history
print(sorted(log), f"{log['val_loss'][-1]:.4f}")
print([part.shape for part in two.predict(xs, verbose=0)], len(two.inputs), two.output_names)


def batches():
    while True:
        for start in range(0, 8, 4):
            yield [x[start : start + 4] for x in xs], [y[start : start + 4] for y in ys]


print(f"{two.fit((tuple(map(tuple, batch)) for batch in batches()), steps_per_epoch=2, epochs=1, verbose=0).history['loss'][0]:.4f}")


class Batches(keras.utils.Sequence):
    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def __len__(self):
        return 8 // self.size

    def __getitem__(self, index):
        part = slice(index * self.size, (index + 1) * self.size)
        return tuple(x[part] for x in xs), tuple(y[part] for y in ys)


print(f"{two.evaluate(Batches(4), verbose=0, return_dict=True)['loss']:.4f}", f"{two.train_on_batch(xs, ys, return_dict=True)['loss']:.4f}")
