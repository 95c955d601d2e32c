"""Why a net answers so: saliency, Grad-CAM, integrated gradients, an adversarial picture."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(22)
inputs = tf.keras.layers.Input(shape=(12, 12, 3))
x = tf.keras.layers.Conv2D(6, 3, activation="relu", name="conv")(inputs)
x = tf.keras.layers.MaxPooling2D()(x)
x = tf.keras.layers.Conv2D(4, 3, activation="relu", name="last_conv")(x)
x = tf.keras.layers.GlobalAveragePooling2D()(x)
outputs = tf.keras.layers.Dense(3, activation="softmax", name="answers")(x)
model = tf.keras.models.Model(inputs, outputs)
model.set_weights([rng.normal(0, 0.4, w.shape) for w in model.get_weights()])
picture = tf.convert_to_tensor(rng.random((1, 12, 12, 3)), dtype=tf.float32)

with tf.GradientTape() as tape:
    tape.watch(picture)
    answers = model(picture, training=False)
    best = tf.math.argmax(answers[0])
    score = answers[0][best]
saliency = tf.reduce_max(tf.abs(tape.gradient(score, picture)), axis=-1)[0]
print("best", int(best), f"{float(score):.4f}", saliency.shape, f"{tf.reduce_sum(saliency).numpy():.4f}")


def grad_cam(pictures, model, layer_name, index=None):
    inner = tf.keras.models.Model([model.inputs], [model.get_layer(layer_name).output, model.output])
    with tf.GradientTape() as tape:
        maps, answers = inner(pictures)
        if index is None:
            index = tf.argmax(answers[0])
        channel = answers[:, index]
    grads = tape.gradient(channel, maps)
    weights = tf.reduce_mean(grads, axis=(0, 1, 2))
    heat = tf.squeeze(maps[0] @ weights[..., tf.newaxis])
    heat = tf.maximum(heat, 0) / (tf.math.reduce_max(heat) + 1e-8)
    return heat.numpy()


heat = grad_cam(picture, model, "last_conv")
print("heat", heat.shape, f"{heat.max():.3f}", np.round(heat[0], 3).tolist())
large = tf.image.resize(heat[..., tf.newaxis], (12, 12)).numpy()
print("large", large.shape, f"{large.mean():.3f}")


@tf.function
def gradients_at(pictures, index):
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        probability = tf.nn.softmax(model(pictures), axis=-1)[:, index]
    return tape.gradient(probability, pictures)


alphas = tf.linspace(start=0.0, stop=1.0, num=6)[:, tf.newaxis, tf.newaxis, tf.newaxis]
path = tf.zeros_like(picture) + alphas * picture
grads = gradients_at(path, tf.constant(1))
mean = tf.reduce_mean((grads[:-1] + grads[1:]) / tf.constant(2.0), axis=0)
print("integrated", path.shape, f"{tf.reduce_sum(mean * picture[0]).numpy():.5f}")

loss_object = tf.keras.losses.CategoricalCrossentropy()
label = tf.reshape(tf.one_hot(best, 3), (1, 3))
with tf.GradientTape() as tape:
    tape.watch(picture)
    loss = loss_object(label, model(picture))
sign = tf.sign(tape.gradient(loss, picture))
for size in (0.0, 0.05, 0.2):
    changed = tf.clip_by_value(picture + size * sign, 0, 1)
    print(size, f"{model(changed).numpy()[0, int(best)]:.4f}")
