"""Callbacks: one's own, a logger, checkpoints of the best, CSV, plateaus, schedules, stopping."""

import csv
import os

import numpy as np
import tensorflow as tf


class Tell(tf.keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.told = []

    def on_train_begin(self, logs=None):
        self.told.append(f"begin {self.params['epochs']} {self.params['steps']}")

    def on_epoch_begin(self, epoch, logs=None):
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(logs["loss"]))

    def on_epoch_end(self, epoch, logs=None):
        lr = float(tf.keras.backend.get_value(self.model.optimizer.learning_rate))
        self.told.append(f"{epoch}: {len(self.seen)} batches, {sorted(logs)}, rate {lr:.4f}")
        if epoch == 3:
            self.model.stop_training = True

    def on_test_batch_begin(self, batch, logs=None):
        self.tested = batch

    def on_train_end(self, logs=None):
        self.told.append(f"end after {self.tested + 1} test batches")


rng = np.random.default_rng(32)
x = rng.normal(size=(20, 3)).astype("float32")
y = x @ np.array([[1.0], [2.0], [-1.0]], "float32")
model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_dim=3)])
model.set_weights([rng.normal(0, 0.3, (3, 1)), np.zeros(1)])
model.compile(optimizer=tf.keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
tell = Tell()
scheduler = tf.keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch >= 2 else rate)
best = tf.keras.callbacks.ModelCheckpoint("best.weights.h5", monitor="val_loss", save_best_only=True, save_weights_only=True)
each = tf.keras.callbacks.ModelCheckpoint("kept/{epoch:02d}-{val_loss:.2f}.keras", save_freq="epoch")
history = model.fit(
    x, y, batch_size=5, epochs=6, validation_data=(x[:10], y[:10]), shuffle=False, verbose=0,
    callbacks=[tell, scheduler, best, each, tf.keras.callbacks.CSVLogger("log.csv"), tf.keras.callbacks.TerminateOnNaN()],
)
print("\n".join(tell.told))
print([f"{v:.4f}" for v in history.history["loss"]], history.epoch)
print(sorted(os.listdir("kept"))[0][:2], len(os.listdir("kept")), os.path.exists("best.weights.h5"))
with open("log.csv") as file:
    rows = list(csv.DictReader(file))
print(len(rows), "val_loss" in rows[0], f"{float(rows[-1]['loss']):.4f}")
model.load_weights("best.weights.h5")
print(f"{min(history.history['val_loss']):.4f} {model.evaluate(x[:10], y[:10], verbose=0)[0]:.4f}")

plateau = tf.keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=1, min_lr=1e-4)
stop = tf.keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True, min_delta=10.0)
model.compile(optimizer=tf.keras.optimizers.Adam(0.1), loss="mse")
history = model.fit(x, y, epochs=20, validation_split=0.2, callbacks=[plateau, stop], verbose=0)
print("stopped", stop.stopped_epoch, len(history.history["loss"]), f"{float(model.optimizer.learning_rate.numpy()):.5f}")
words = []
simple = tf.keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: words.append(epoch), on_train_end=lambda logs: words.append("end")
)
model.fit(x, y, epochs=2, callbacks=simple, verbose=0)
print(words, isinstance(model.history, tf.keras.callbacks.History), "loss" in model.history.history)
model.evaluate(x, y, callbacks=[tf.keras.callbacks.LambdaCallback()], verbose=0)
print(type(model.optimizer).__name__, model.optimizer.get_config()["learning_rate"] > 0)
