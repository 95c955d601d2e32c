import os, glob
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras.callbacks import *
np.random.seed(2)
x = np.random.rand(32, 5).astype("float32"); y = (x.sum(1) > 2.5).astype("float32")
def build():
    m = keras.models.Sequential()
    m.add(keras.layers.Dense(6, activation="relu", input_shape=[5]))
    m.add(keras.layers.Dense(1, activation="sigmoid"))
    m.compile(loss="binary_crossentropy", optimizer="sgd", metrics=["accuracy", keras.metrics.AUC(name="auc")])
    return m
class Dots(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs={}):
        if epoch % 2 == 0: print("")
        print(".", end="")
class StopAt(keras.callbacks.Callback):
    def __init__(self, target): 
        super(StopAt, self).__init__(); self.target = target
    def on_epoch_end(self, epoch, logs=None):
        if (logs or {}).get("accuracy", 0) >= self.target:
            print("\nreached"); self.model.stop_training = True
class LossHistory(Callback):
    def on_train_begin(self, logs={}):
        self.losses = []; self.lr = []
    def on_batch_end(self, batch, logs={}):
        self.losses.append(logs.get("loss"))
    def on_epoch_begin(self, epoch, logs=None):
        self.lr.append(float(keras.backend.get_value(self.model.optimizer.lr)) if hasattr(self.model.optimizer, "lr") else float(self.model.optimizer.learning_rate))
class Restore(Callback):
    def on_epoch_end(self, epoch, logs=None):
        w = self.model.get_weights()
        self.mean = np.mean([np.abs(v).mean() for v in w])
        self.pred = self.model.predict(x[:2], verbose=0)
m = build()
lh, rs = LossHistory(), Restore()
def step_decay(epoch):
    initial, drop, every = 0.1, 0.5, 2.0
    return initial * np.power(drop, np.floor((1 + epoch) / every))
os.makedirs("ck", exist_ok=True)
cp = ModelCheckpoint(filepath="ck/weights.{epoch:02d}-{val_loss:.2f}.h5" if keras.__version__ < "3" else "ck/weights.{epoch:02d}-{val_loss:.2f}.keras", monitor="val_loss", verbose=0, save_best_only=False, mode="auto")
log_dir = os.path.join("logs", "fit")
tb = TensorBoard(log_dir=log_dir, histogram_freq=1, write_graph=True, update_freq="epoch", profile_batch=0)
h = m.fit(x, y, epochs=4, batch_size=8, validation_split=0.25, verbose=0, shuffle=False,
          callbacks=[Dots(), StopAt(1.1), lh, rs, LearningRateScheduler(step_decay, verbose=0), cp, tb, CSVLogger("t.log", separator=";", append=False), TerminateOnNaN(), ReduceLROnPlateau(patience=1, cooldown=1, min_delta=1e-4), EarlyStopping(patience=20, mode="min", baseline=None), BackupAndRestore("bk"), History(), ProgbarLogger() if False else Dots()])
print()
print(len(lh.losses), [round(v, 4) for v in lh.lr], rs.pred.shape, len(glob.glob("ck/*")), sorted(os.listdir(log_dir)))
with open("t.log") as log_file:
    print(log_file.readline().strip().split(";")[:3], sorted(set(h.history) - {"lr", "learning_rate"}))
m2 = build()
batch_print = LambdaCallback(on_batch_begin=lambda batch, logs: print(batch, end=" "), on_epoch_begin=lambda e, l: print("E", e, end=" "))
m2.fit(x, y, epochs=1, batch_size=16, verbose=0, callbacks=[batch_print])
print()
cl = tf.keras.callbacks.CallbackList([lh], model=m2, add_history=True, epochs=1, verbose=0, steps=2)
logs = {}
cl.on_train_begin(); cl.on_epoch_begin(0)
for i in range(2):
    cl.on_train_batch_begin(i); logs = m2.train_on_batch(x[:8], y[:8], return_dict=True); cl.on_train_batch_end(i, logs)
cl.on_epoch_end(0, logs); cl.on_train_end()
print(sorted(logs), len(lh.losses))
class Phase(Callback):
    def on_train_begin(self, logs=None): print("tb", list((logs or {}).keys()))
    def on_test_begin(self, logs=None): print("eb")
    def on_test_end(self, logs=None): print("ee", sorted(logs))
    def on_predict_begin(self, logs=None): print("pb")
    def on_predict_batch_end(self, batch, logs=None): print("p", batch, sorted(logs))
    def on_predict_end(self, logs=None): print("pe")
m2.fit(x, y, epochs=1, verbose=0, validation_data=(x, y, np.ones(32)), callbacks=[Phase()])
m2.predict(x, batch_size=16, verbose=0, callbacks=[Phase()])
e = EarlyStopping(monitor="loss", patience=0, min_delta=100.0, restore_best_weights=True)
h = m2.fit(x, y, epochs=10, verbose=0, callbacks=[e])
print(len(h.epoch), e.stopped_epoch, e.best is not None)
sched = ExpDecay = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.9, staircase=True)
print([round(float(sched(s)), 4) for s in (0, 9, 10, 25)])
