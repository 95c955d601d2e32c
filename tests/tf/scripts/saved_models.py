"""SavedModel folders of modules with signatures, loaded again, and models in both file kinds."""

import os

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(35)


class Scaler(tf.Module):
    def __init__(self):
        super().__init__()
        self.factor = tf.Variable(2.0)
        self.shift = tf.constant([1.0, -1.0])

    @tf.function(input_signature=[tf.TensorSpec(shape=[None, 2], dtype=tf.float32)])
    def __call__(self, x):
        return x * self.factor + self.shift

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
    def set_factor(self, value):
        self.factor.assign(value)
        return {"factor": self.factor}


module = Scaler()
x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
tf.saved_model.save(module, "scaler", signatures=module.__call__)
print(sorted(os.listdir("scaler"))[-2:], tf.saved_model.contains_saved_model("scaler"))
loaded = tf.saved_model.load("scaler")
print(loaded(x).numpy().tolist(), "serving_default" in loaded.signatures)
answer = loaded.signatures["serving_default"](x=x)
print(list(answer), answer["output_0"].numpy().tolist())
loaded.set_factor(tf.constant(10.0))
print(loaded(x).numpy().tolist(), loaded.factor.numpy(), module.factor.numpy())
with tf.GradientTape() as tape:
    out = tf.reduce_sum(loaded(x))
print(tape.gradient(out, loaded.factor).numpy())
print(loaded.signatures["serving_default"].structured_input_signature[1])

model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(3, activation="relu"), tf.keras.layers.Dense(1)])
model.set_weights([rng.normal(0, 0.5, w.shape) for w in model.get_weights()])
model.compile("adam", "mse")
model.fit(x, tf.constant([[1.0], [0.0]]), epochs=1, verbose=0)
expected = model.predict(x, verbose=0)
print(np.round(expected, 4).tolist())
model.save("model.keras")
model.save("model.h5")
tf.saved_model.save(model, "folder")
for path in ("model.keras", "model.h5"):
    again = tf.keras.models.load_model(path)
    print(path, np.allclose(again.predict(x, verbose=0), expected, atol=1e-6), int(again.optimizer.iterations))
served = tf.saved_model.load("folder").signatures["serving_default"]
found = list(served(x).values())[0]
print(np.allclose(found, expected, atol=1e-5), found.shape)
text = model.to_json()
rebuilt = tf.keras.models.model_from_json(text)
rebuilt.set_weights(model.get_weights())
print(np.allclose(rebuilt.predict(x, verbose=0), expected, atol=1e-6), tf.keras.models.clone_model(model).count_params())
config = model.get_config()
print(len(config["layers"]), tf.keras.Sequential.from_config(config).layers[-1].units)


@tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="points")])
def serve(points):
    answers = model(points)
    return {"answers": answers, "best": tf.argmax(answers, axis=0)}


tf.saved_model.save(model, "served", signatures={"serve": serve})
serving = tf.saved_model.load("served").signatures["serve"]
out = serving(points=x)
print(sorted(out), np.allclose(out["answers"], expected, atol=1e-5), out["best"].numpy().tolist())
