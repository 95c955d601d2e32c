import numpy as np
import tensorflow as tf
from tensorflow.keras import Sequential
from tensorflow.keras.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    SeparableConv2D,
)
from tensorflow.keras.utils import to_categorical

rng = np.random.RandomState(1)
x = rng.randint(0, 256, size=(24, 16, 16, 3)).astype("float32") / 255.0
y = to_categorical(np.arange(24) % 4, num_classes=4)

model = Sequential()
model.add(tf.keras.Input(shape=(16, 16, 3)))
model.add(Conv2D(8, (3, 3), padding="same", kernel_initializer="he_normal"))
model.add(BatchNormalization())
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(SeparableConv2D(8, 3, strides=1, padding="valid", activation="relu"))
model.add(AveragePooling2D(2))
model.add(Dropout(0.0))
model.add(Conv2D(6, 1, dilation_rate=1))
model.add(tf.keras.layers.LeakyReLU())
model.add(GlobalAveragePooling2D())
model.add(Flatten())
model.add(Dense(4, activation="softmax"))

values = [rng.normal(0, 0.2, w.shape) for w in model.get_weights()]
for i, w in enumerate(model.weights):
    if "variance" in w.name:
        values[i] = np.ones(w.shape)
model.set_weights(values)
model.compile(loss="categorical_crossentropy", optimizer=tf.keras.optimizers.SGD(0.1, momentum=0.9), metrics=["accuracy"])
history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, validation_split=0.25, verbose=0)
for key in ("loss", "val_loss", "val_accuracy"):
    print(key, [f"{v:.3f}" for v in history.history[key]])
print(model.output_shape, len(model.layers), model.count_params())
print(np.round(model.predict(x[:2], verbose=0), 3).tolist())
for layer in model.layers[:4]:
    print(layer.__class__.__name__, layer.output.shape)
