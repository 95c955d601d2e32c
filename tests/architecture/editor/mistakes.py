"""Thirteen mistakes, each on the line that ends in its number; everything else is right."""

import numpy as np

import nacre as keras
from nacre import layers, ops

x = np.ones((8, 4), "float32")
y = np.ones((8, 1), "float32")


class Block(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(units)

    def call(self, inputs):
        self.dense(inputs)  # and nothing is returned


inputs = keras.Input(shape=(4,))
hidden = layers.Densee(8)(inputs)  # mistake 1: the name of a layer
hidden = layers.Dense(8, activaton="relu")(inputs)  # mistake 2: the name of an argument
hidden = layers.Dense("8")(inputs)  # mistake 3: text for a number
outputs = layers.Dense(1)(Block(8)(inputs))  # mistake 4: Block.call returns nothing
model = keras.Model(inputs, layers.Dense(1)(inputs))
optimizer = keras.optimisers.Adam(1e-3)  # mistake 5: the name of a module
model.compile("adam", loss="mse", metric=["mae"])  # mistake 6: an argument of compile
stop = keras.callbacks.EarlyStopping(monitor="loss", patiance=3)  # mistake 7: one of a callback
history = model.fit(x, y, epoch=3)  # mistake 8: an argument of fit
history = model.fit(x, y, epochs="3")  # mistake 9: text for a number
print(history["loss"])  # mistake 10: history.history
model.fitt(x, y)  # mistake 11: the name of a method
mean = ops.reduce_mean(x)  # mistake 12: a function of another library
hidden = ops.relu(inputs, negative_slope=0.1)  # mistake 13: relu has no such argument
