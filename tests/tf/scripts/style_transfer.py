"""A picture optimised for the content of one and the style of another, and gradient ascent."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(21)
base = tf.keras.Sequential(
    [
        tf.keras.layers.InputLayer(input_shape=(None, None, 3)),
        tf.keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="block1"),
        tf.keras.layers.MaxPooling2D(name="pool1"),
        tf.keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="block2"),
    ]
)
base.set_weights([rng.normal(0, 0.3, w.shape) for w in base.get_weights()])
base.trainable = False


def gram_matrix(x):
    found = tf.linalg.einsum("bijc,bijd->bcd", x, x)
    size = tf.shape(x)
    return found / tf.cast(size[1] * size[2], tf.float32)


class Features(tf.keras.models.Model):
    def __init__(self, style_layers, content_layers):
        super(Features, self).__init__()
        outputs = [base.get_layer(name).output for name in style_layers + content_layers]
        self.net = tf.keras.Model([base.input] if not isinstance(base.input, list) else base.input, outputs)
        self.style_layers, self.content_layers = style_layers, content_layers

    def call(self, picture):
        found = self.net(picture * 2.0 - 1.0)
        style = [gram_matrix(x) for x in found[: len(self.style_layers)]]
        return {
            "style": dict(zip(self.style_layers, style)),
            "content": dict(zip(self.content_layers, found[len(self.style_layers) :])),
        }


extract = Features(["block1", "pool1"], ["block2"])
content = tf.constant(rng.random((1, 8, 8, 3)), tf.float32)
style = tf.image.resize(tf.constant(rng.random((1, 12, 10, 3)), tf.float32), [8, 8])
style_targets, content_targets = extract(style)["style"], extract(content)["content"]
picture = tf.Variable(content)
optimizer = tf.keras.optimizers.Adam(learning_rate=0.02, beta_1=0.99, epsilon=1e-1)


@tf.function()
def step(picture):
    with tf.GradientTape() as tape:
        found = extract(picture)
        loss = tf.add_n([tf.reduce_mean((found["style"][n] - style_targets[n]) ** 2) for n in found["style"]])
        loss += 0.1 * tf.add_n([tf.reduce_mean((found["content"][n] - content_targets[n]) ** 2) for n in found["content"]])
        loss += 1e-3 * tf.reduce_sum(tf.image.total_variation(picture))
    gradient = tape.gradient(loss, picture)
    optimizer.apply_gradients([(gradient, picture)])
    picture.assign(tf.clip_by_value(picture, clip_value_min=0.0, clip_value_max=1.0))
    return loss


for _ in range(3):
    print(f"loss {step(picture).numpy():.3f}")
print(picture.shape, f"{tf.reduce_mean(picture):.3f}", len(extract.trainable_variables))

dream_model = tf.keras.Model(inputs=base.inputs, outputs=base.get_layer("block2").output)


@tf.function(input_signature=(tf.TensorSpec([None, None, 3], tf.float32), tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)))
def dream(img, steps, step_size):
    loss = tf.constant(0.0)
    for n in tf.range(steps):
        with tf.GradientTape() as tape:
            tape.watch(img)
            loss = tf.math.reduce_mean(dream_model(tf.expand_dims(img, axis=0)))
        gradients = tape.gradient(loss, img)
        gradients /= tf.math.reduce_std(gradients) + 1e-8
        img = tf.clip_by_value(img + gradients * step_size, -1, 1)
    return loss, img


first, img = dream(content[0], tf.constant(1), tf.constant(0.05))
later, img = dream(content[0], tf.constant(4), tf.constant(0.05))
print(f"{float(first):.3f} {float(later):.3f}", img.shape)
shown = tf.cast(255 * (img + 1.0) / 2.0, tf.uint8)
print(shown.dtype.name, shown.shape)
