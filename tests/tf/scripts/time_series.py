"""Windows of a series in two ways, a baseline, and nets that forecast one step and several."""

import numpy as np
import pandas as pd
import tensorflow as tf

steps = np.arange(120)
frame = pd.DataFrame({"warm": np.sin(steps / 6) + 0.1 * steps / 60, "wet": np.cos(steps / 9)})
frame["day"] = np.sin(steps * 2 * np.pi / 24)
train, val = frame[:90], frame[90:]
mean, std = train.mean(), train.std()
train, val = (train - mean) / std, (val - mean) / std
print(train.shape, val.shape, f"{val['warm'].mean():.3f}")


def windows(data, width, shift):
    values = np.array(data, dtype=np.float32)
    made = tf.keras.utils.timeseries_dataset_from_array(
        data=values, targets=None, sequence_length=width + shift, sequence_stride=1, shuffle=False, batch_size=16
    )

    def cut(batch):
        inputs, labels = batch[:, :width, :], batch[:, width:, :]
        labels = tf.stack([labels[:, :, 0]], axis=-1)
        inputs.set_shape([None, width, None])
        return inputs, labels

    return made.map(cut)


rng = np.random.default_rng(19)
train_set, val_set = windows(train, 6, 2), windows(val, 6, 2)
for x, y in train_set.take(1):
    print(x.shape, y.shape, len(train_set))
model = tf.keras.Sequential(
    [
        tf.keras.layers.InputLayer(input_shape=(6, 3)),
        tf.keras.layers.Conv1D(8, kernel_size=3, activation="relu", padding="causal"),
        tf.keras.layers.LSTM(8),
        tf.keras.layers.Dense(2),
        tf.keras.layers.Reshape([2, 1]),
    ]
)
model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
model.compile(loss=tf.keras.losses.Huber(), optimizer=tf.keras.optimizers.Adam(0.01), metrics=[tf.keras.metrics.MeanAbsoluteError()])
stop = tf.keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, mode="min")
log = model.fit(train_set, epochs=3, validation_data=val_set, callbacks=[stop], verbose=0).history
print("loss", [f"{v:.3f}" for v in log["loss"]], "val", [f"{v:.3f}" for v in log["val_mean_absolute_error"]])

series = tf.data.Dataset.range(10)
for window in series.window(4, shift=2, drop_remainder=True).take(2):
    print([int(item.numpy()) for item in window])
flat = series.window(4, shift=1, drop_remainder=True).flat_map(lambda w: w.batch(4))
pairs = flat.map(lambda w: (w[:-1], w[-1:])).batch(3)
for x, y in pairs.take(1):
    print(x.numpy().tolist(), y.numpy().tolist())
made = tf.keras.preprocessing.timeseries_dataset_from_array(
    steps[:20], steps[5:20], sequence_length=3, sampling_rate=2, sequence_stride=4, batch_size=8
)
for x, y in made:
    print(x.numpy().tolist(), y.numpy().tolist())
generator = tf.keras.preprocessing.sequence.TimeseriesGenerator(steps[:8], steps[:8], length=3, batch_size=2)
print(len(generator), [part.tolist() for part in generator[0]])
