import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

rng = np.random.default_rng(0)
x_train = rng.normal(size=(64, 10)).astype("float32")
y_train = (x_train[:, 0] + x_train[:, 1] > 0).astype("int32") + (x_train[:, 2] > 1).astype("int32")

model = keras.Sequential(
    [
        keras.Input(shape=(10,)),
        layers.Dense(16, activation="relu", name="hidden"),
        layers.Dense(3, activation="softmax", name="answer"),
    ]
)
model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.01),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
history = model.fit(x_train, y_train, batch_size=16, epochs=3, shuffle=False, verbose=0)
for epoch, loss in enumerate(history.history["loss"]):
    print(f"epoch {epoch + 1}: loss {loss:.4f} accuracy {history.history['accuracy'][epoch]:.4f}")
loss, accuracy = model.evaluate(x_train, y_train, verbose=0)
print("evaluate", round(float(loss), 4), round(float(accuracy), 4))
probabilities = model.predict(x_train[:4], verbose=0)
print("sums", np.round(probabilities.sum(axis=1), 4).tolist())
print("classes", np.argmax(probabilities, axis=-1).tolist())
logits_model = tf.keras.Model(model.inputs, model.get_layer("hidden").output)
print("hidden", np.round(logits_model(x_train[:1]).numpy()[0, :4], 4).tolist())
print("parameters", model.count_params(), [w.name.split("/")[-1].split(":")[0] for w in model.weights])
