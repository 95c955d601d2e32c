"""More mistakes, each on the line that is marked; everything else is right."""

import numpy as np

import nacre as keras
from nacre import layers, ops

x = np.ones((8, 4), "float32")
keras.losses.SparseCategoricalCrossentropy(from_logit=True)  # mistake
keras.losses.Huber(delta="1")  # mistake
keras.metrics.AUC(num_threshold=3)  # mistake
keras.metrics.MeanSquaredError(nam="x")  # mistake
keras.optimizers.SGD(momentm=0.9)  # mistake
keras.optimizers.Adam(0.1, beta1=0.9)  # mistake
keras.callbacks.ModelCheckpoint("x", save_best=True)  # mistake
keras.callbacks.ReduceLROnPlateau(facter=0.1)  # mistake
keras.utils.to_categorical([1], num_class=3)  # mistake
i = keras.Input(shap=(3,))  # mistake
i = keras.Input((3,), dtyp="int32")  # mistake
i = keras.Input((3,))
keras.Model(input=i, output=i)  # mistake
m = keras.Sequential([layers.Dense(3)], nam="x")  # mistake
m.ad(layers.Dense(3))  # mistake


class L(layers.Layer):
    def build(self, s):
        self.w = self.add_weight(shap=(3,))  # mistake
        self.v = self.add_weight(shape=(3,), initialiser="ones")  # mistake

    def call(self, x):
        return ops.matmull(x, self.w)  # mistake


keras.regularizers.L2(l3=1)  # mistake
keras.initializers.HeNormal(sed=3)  # mistake
layers.LSTM(3, return_sequence=True)  # mistake
layers.Bidirectional(layers.LSTM(3), merge="sum")  # mistake
layers.MultiHeadAttention(2, 3)(i)  # mistake
print(layers.Dense(3)(i).shap)  # mistake
keras.Variable(1.0, trainabl=False)  # mistake
keras.Variable(1.0).asign(3)  # mistake
m.predict(x, batchsize=3)  # mistake
m.evaluate(x, x, verbos=0)  # mistake
m.save_weight("x")  # mistake
keras.random.normal((3,), sead=3)  # mistake
keras.utils.set_random_seed()  # mistake
ops.sum(x, axes=1)  # mistake
m.compile(optimizer="adam", los="mse")  # mistake
m.fit(x, x, batch_size="32")  # mistake
layers.Conv2D(3, kernal_size=3)  # mistake
layers.Dropout("0.5")  # mistake
layers.Add()(i, i)  # mistake
print(m.optimizer.learning_rat)  # mistake
m.get_layer(nam="x")  # mistake
keras.optimizers.schedules.ExponentialDecay(0.1, 10, decay=3)  # mistake
layers.BatchNormalization(momentun=3)  # mistake
layers.Flatten(i)(i)  # mistake
keras.Sequential([layers.Flatten])  # mistake
keras.Sequential(layers.Flatten())  # mistake
m.add(ops.relu)  # mistake
layers.LSTM(3)(i, initial_states=None)  # mistake
keras.models.load_model("x", custom_object={})  # mistake
keras.config.set_floatx()  # mistake
layers.TextVectorization(max_token=3)  # mistake
print(m.fit(x, x).hist)  # mistake
print(keras.activations.rellu)  # mistake
m.fit(x, x, callbacks=keras.callbacks.TerminateOnNaN)  # mistake
m.fit(x, x, callbacks=[keras.callbacks.TerminateOnNaN])  # mistake
m.evaluate(x, x, callbacks="early_stopping")  # mistake
m.predict(x, callbacks=[print])  # mistake
