import numpy as np, pandas as pd
import tensorflow as tf
rng = np.random.RandomState(0)
df = pd.DataFrame({"T": np.sin(np.arange(120) / 6) + rng.randn(120) * 0.1, "p": rng.rand(120), "wx": rng.rand(120)})
n = len(df); train_df, val_df, test_df = df[: int(n * 0.7)], df[int(n * 0.7): int(n * 0.9)], df[int(n * 0.9):]
mean, std = train_df.mean(), train_df.std(); train_df = (train_df - mean) / std; val_df = (val_df - mean) / std; test_df = (test_df - mean) / std
class WindowGenerator():
    def __init__(self, input_width, label_width, shift, train_df=train_df, val_df=val_df, test_df=test_df, label_columns=None):
        self.train_df, self.val_df, self.test_df, self.label_columns = train_df, val_df, test_df, label_columns
        if label_columns is not None: self.label_columns_indices = {name: i for i, name in enumerate(label_columns)}
        self.column_indices = {name: i for i, name in enumerate(train_df.columns)}
        self.input_width, self.label_width, self.shift = input_width, label_width, shift; self.total_window_size = input_width + shift
        self.input_slice = slice(0, input_width); self.label_start = self.total_window_size - self.label_width; self.labels_slice = slice(self.label_start, None)
    def split_window(self, features):
        inputs = features[:, self.input_slice, :]; labels = features[:, self.labels_slice, :]
        if self.label_columns is not None: labels = tf.stack([labels[:, :, self.column_indices[name]] for name in self.label_columns], axis=-1)
        inputs.set_shape([None, self.input_width, None]); labels.set_shape([None, self.label_width, None])
        return inputs, labels
    def make_dataset(self, data):
        data = np.array(data, dtype=np.float32)
        ds = tf.keras.utils.timeseries_dataset_from_array(data=data, targets=None, sequence_length=self.total_window_size, sequence_stride=1, shuffle=True, batch_size=16)
        return ds.map(self.split_window)
    @property
    def train(self): return self.make_dataset(self.train_df)
    @property
    def val(self): return self.make_dataset(self.val_df)
    @property
    def example(self):
        result = getattr(self, "_example", None)
        if result is None: result = next(iter(self.train)); self._example = result
        return result
w = WindowGenerator(6, 1, 1, label_columns=["T"]); print(w.train.element_spec[0].shape, w.example[0].shape, w.example[1].shape)
def compile_and_fit(model, window, patience=2):
    es = tf.keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience, mode="min")
    model.compile(loss=tf.keras.losses.MeanSquaredError(), optimizer=tf.keras.optimizers.Adam(), metrics=[tf.keras.metrics.MeanAbsoluteError()])
    return model.fit(window.train, epochs=2, validation_data=window.val, callbacks=[es], verbose=0)
class Baseline(tf.keras.Model):
    def __init__(self, label_index=None): super().__init__(); self.label_index = label_index
    def call(self, inputs):
        if self.label_index is None: return inputs
        return inputs[:, -1:, self.label_index][:, :, tf.newaxis]
b = Baseline(label_index=w.column_indices["T"]); b.compile(loss=tf.keras.losses.MeanSquaredError(), metrics=[tf.keras.metrics.MeanAbsoluteError()]); print(sorted(b.evaluate(w.val, verbose=0, return_dict=True)))
class ResidualWrapper(tf.keras.Model):
    def __init__(self, model): super().__init__(); self.model = model
    def call(self, inputs, *args, **kwargs): return inputs + self.model(inputs, *args, **kwargs)
wide = WindowGenerator(6, 6, 1)
res = ResidualWrapper(tf.keras.Sequential([tf.keras.layers.LSTM(8, return_sequences=True), tf.keras.layers.Dense(3, kernel_initializer=tf.initializers.zeros())])); print(len(compile_and_fit(res, wide).history["loss"]), res(wide.example[0]).shape)
class FeedBack(tf.keras.Model):
    def __init__(self, units, out_steps):
        super().__init__(); self.out_steps = out_steps; self.units = units; self.lstm_cell = tf.keras.layers.LSTMCell(units); self.lstm_rnn = tf.keras.layers.RNN(self.lstm_cell, return_state=True); self.dense = tf.keras.layers.Dense(3)
    def warmup(self, inputs):
        x, *state = self.lstm_rnn(inputs); return self.dense(x), state
    def call(self, inputs, training=None):
        predictions = []; prediction, state = self.warmup(inputs); predictions.append(prediction)
        for n in range(1, self.out_steps):
            x, state = self.lstm_cell(prediction, states=state, training=training); prediction = self.dense(x); predictions.append(prediction)
        predictions = tf.stack(predictions); return tf.transpose(predictions, [1, 0, 2])
fb = FeedBack(8, 4); multi = WindowGenerator(6, 4, 4); print(fb.warmup(multi.example[0])[0].shape, fb(multi.example[0]).shape); print(len(compile_and_fit(fb, multi).history["val_loss"]))
cnn = tf.keras.Sequential([tf.keras.layers.Lambda(lambda x: x[:, -3:, :]), tf.keras.layers.Conv1D(8, activation="relu", kernel_size=(3)), tf.keras.layers.Dense(4 * 3, kernel_initializer=tf.initializers.zeros()), tf.keras.layers.Reshape([4, 3])]); compile_and_fit(cnn, multi); print(cnn(multi.example[0]).shape)
def windowed_dataset(series, window_size, batch_size, shuffle_buffer):
    series = tf.expand_dims(series, axis=-1); ds = tf.data.Dataset.from_tensor_slices(series); ds = ds.window(window_size + 1, shift=1, drop_remainder=True); ds = ds.flat_map(lambda w: w.batch(window_size + 1)); ds = ds.shuffle(shuffle_buffer); ds = ds.map(lambda w: (w[:-1], w[1:])); return ds.batch(batch_size).prefetch(1)
s = windowed_dataset(df["T"].values.astype("float32"), 10, 8, 50); model = tf.keras.models.Sequential([tf.keras.layers.Conv1D(filters=4, kernel_size=3, strides=1, padding="causal", activation="relu", input_shape=[None, 1]), tf.keras.layers.LSTM(6, return_sequences=True), tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(4, return_sequences=True)), tf.keras.layers.Dense(1), tf.keras.layers.Lambda(lambda x: x * 10.0)])
sched = tf.keras.callbacks.LearningRateScheduler(lambda epoch: 1e-8 * 10 ** (epoch / 20)); model.compile(loss=tf.keras.losses.Huber(), optimizer=tf.keras.optimizers.SGD(learning_rate=1e-8, momentum=0.9), metrics=["mae"]); hh = model.fit(s, epochs=2, callbacks=[sched], verbose=0)
print([f"{v:.3e}" for v in hh.history.get("lr", hh.history.get("learning_rate"))], np.squeeze(model.predict(np.ones((1, 20, 1)), verbose=0)).shape)
print(tf.keras.metrics.mean_absolute_error(np.zeros(3), np.ones(3)).numpy(), [x.numpy().tolist() for x in tf.keras.utils.timeseries_dataset_from_array(np.arange(6), None, 3, sequence_stride=2, sampling_rate=1, batch_size=2)])
