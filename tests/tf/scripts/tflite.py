"""A model turned to TFLite in three ways, and run."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(36)
model = tf.keras.Sequential(
    [
        tf.keras.layers.Input((8, 8, 1)),
        tf.keras.layers.Conv2D(4, 3, activation="relu"),
        tf.keras.layers.MaxPooling2D(),
        tf.keras.layers.Flatten(),
        tf.keras.layers.Dense(3, activation="softmax"),
    ]
)
model.set_weights([rng.normal(0, 0.4, w.shape) for w in model.get_weights()])
x = rng.random((5, 8, 8, 1)).astype(np.float32)
expected = model.predict(x, verbose=0)


def run(content, pictures):
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for picture in pictures:
        interpreter.set_tensor(inputs["index"], picture[np.newaxis].astype(inputs["dtype"]))
        interpreter.invoke()
        found.append(interpreter.get_tensor(outputs["index"])[0])
    return np.array(found), inputs, outputs


converter = tf.lite.TFLiteConverter.from_keras_model(model)
content = converter.convert()
with open("model.tflite", "wb") as file:
    file.write(content)
found, inputs, outputs = run(content, x)
print(inputs["shape"].tolist(), inputs["dtype"].__name__, outputs["shape"].tolist(), np.allclose(found, expected, atol=1e-5))
print(np.round(found[0], 4).tolist())
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
small = converter.convert()
print("close", np.abs(run(small, x)[0] - expected).max() < 0.05)
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.target_spec.supported_types = [tf.float16]
half = converter.convert()
print("half", np.abs(run(half, x)[0] - expected).max() < 0.01, len(half) < len(content) + 2000)


def samples():
    for picture in tf.data.Dataset.from_tensor_slices(x).batch(1).take(5):
        yield [picture]


converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = samples
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = tf.uint8
converter.inference_output_type = tf.uint8
whole = converter.convert()
interpreter = tf.lite.Interpreter(model_content=whole)
interpreter.allocate_tensors()
inputs, outputs = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
scale, zero = inputs["quantization"]
interpreter.set_tensor(inputs["index"], np.clip(np.round(x[:1] / scale + zero), 0, 255).astype(np.uint8))
interpreter.invoke()
out_scale, out_zero = outputs["quantization"]
answer = (interpreter.get_tensor(outputs["index"]).astype(np.float32) - out_zero) * out_scale
print("uint8", inputs["dtype"].__name__, outputs["dtype"].__name__, np.abs(answer - expected[:1]).max() < 0.1)
read = tf.lite.Interpreter(model_path="model.tflite")
print(list(read.get_signature_list()), len(read.get_input_details()))
runner = read.get_signature_runner()
print(np.allclose(list(runner(**{list(runner.get_input_details())[0]: x[:1]}).values())[0], expected[:1], atol=1e-5))
