# gradient ascent on pictures: deep dream with tiles, total variation, Grad-CAM, saliency, integrated gradients
import numpy as np
import tensorflow as tf
import matplotlib as mpl
mpl.use("Agg")
import matplotlib.pyplot as plt
mpl.rcParams["figure.figsize"] = (6, 6)
rng = np.random.RandomState(0)
base = tf.keras.Sequential([tf.keras.layers.Conv2D(4, 3, activation="relu", padding="same", name="block1", input_shape=(None, None, 3)), tf.keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="block2")])
base.set_weights([rng.normal(0, 0.2, w.shape) for w in base.get_weights()])
dream_model = tf.keras.Model(inputs=base.input, outputs=[base.get_layer(n).output for n in ("block1", "block2")])
def calc_loss(img, model):
    img_batch = tf.expand_dims(img, axis=0)
    acts = model(img_batch)
    if len(acts) == 1:
        acts = [acts]
    return tf.reduce_sum([tf.math.reduce_mean(a) for a in acts])
class DeepDream(tf.Module):
    def __init__(self, model):
        self.model = model
    @tf.function(input_signature=(tf.TensorSpec(shape=[None, None, 3], dtype=tf.float32), tf.TensorSpec(shape=[], dtype=tf.int32), tf.TensorSpec(shape=[], dtype=tf.float32)))
    def __call__(self, img, steps, step_size):
        loss = tf.constant(0.0)
        for n in tf.range(steps):
            with tf.GradientTape() as tape:
                tape.watch(img)
                loss = calc_loss(img, self.model)
            g = tape.gradient(loss, img)
            g /= tf.math.reduce_std(g) + 1e-8
            img = img + g * step_size
            img = tf.clip_by_value(img, -1, 1)
        return loss, img
dream = DeepDream(dream_model)
img = tf.constant(rng.rand(12, 10, 3).astype("float32"))
loss, out = dream(img, tf.constant(3), tf.constant(0.01))
print(round(float(loss), 3), out.shape, dream(img[:8], tf.constant(1), tf.constant(0.1))[1].shape)
def random_roll(img, maxroll):
    shift = tf.random.uniform(shape=[2], minval=-maxroll, maxval=maxroll, dtype=tf.int32)
    return shift, tf.roll(img, shift=shift, axis=[0, 1])
shift, rolled = random_roll(img, 4)
print(shift.dtype.name, np.allclose(tf.roll(rolled, -shift, axis=[0, 1]), img))
OCTAVE = 1.3
for n in range(-1, 2):
    new = tf.cast(tf.convert_to_tensor(tf.shape(img)[:-1], tf.float32) if False else tf.cast(tf.shape(img)[:-1], tf.float32) * (OCTAVE ** n), tf.int32)
    print(tf.image.resize(img, new).shape)
clf = tf.keras.Sequential([tf.keras.Input((8, 8, 3)), tf.keras.layers.Conv2D(4, 3, activation="relu", name="last"), tf.keras.layers.GlobalAveragePooling2D(), tf.keras.layers.Dense(3, activation="softmax")])
clf.set_weights([rng.normal(0, 0.5, w.shape) for w in clf.get_weights()])
x = rng.rand(1, 8, 8, 3).astype("float32")
grad_model = tf.keras.models.Model([clf.inputs], [clf.get_layer("last").output, clf.output])
with tf.GradientTape() as tape:
    conv, preds = grad_model(x)
    idx = tf.argmax(preds[0])
    channel = preds[:, idx]
g = tape.gradient(channel, conv)
pooled = tf.reduce_mean(g, axis=(0, 1, 2))
heat = conv[0] @ pooled[..., tf.newaxis]
heat = tf.maximum(tf.squeeze(heat), 0) / (tf.math.reduce_max(heat) + 1e-9)
print(heat.shape, idx.numpy() < 3)
def interpolate_images(baseline, image, alphas):
    a = alphas[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.expand_dims(baseline, 0) + a * (tf.expand_dims(image, 0) - tf.expand_dims(baseline, 0))
@tf.function
def one_batch(baseline, image, alphas, target):
    inter = interpolate_images(baseline, image, alphas)
    with tf.GradientTape() as tape:
        tape.watch(inter)
        probs = tf.nn.softmax(clf(inter), axis=-1)[:, target]
    return tape.gradient(probs, inter)
alphas = tf.linspace(start=0.0, stop=1.0, num=5)
grads = one_batch(tf.zeros((8, 8, 3)), tf.constant(x[0]), alphas, tf.constant(1))
ig = tf.math.reduce_mean((grads[:-1] + grads[1:]) / tf.constant(2.0), axis=0) * x[0]
print(np.round(float(tf.reduce_sum(ig)), 4))
image = tf.Variable(x)
opt = tf.keras.optimizers.Adam(learning_rate=0.02, beta_1=0.99, epsilon=1e-1)
def gram(t):
    r = tf.linalg.einsum("bijc,bijd->bcd", t, t)
    s = tf.shape(t)
    return r / tf.cast(s[1] * s[2], tf.float32)
targets = gram(clf.get_layer("last")(tf.constant(x)) * 0.5)
@tf.function()
def train_step(image):
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_mean((gram(clf.get_layer("last")(image)) - targets) ** 2)]) + 1e-3 * tf.image.total_variation(image)[0]
    opt.apply_gradients([(tape.gradient(loss, image), image)])
    image.assign(tf.clip_by_value(image, 0.0, 1.0))
    return loss
print([round(float(train_step(image)), 4) for _ in range(3)])
plt.imshow(tf.keras.utils.array_to_img(image[0])); plt.savefig("a.png"); plt.close()
e = tf.sign(tf.random.normal([2])); print(set(np.unique(e.numpy())) <= {-1.0, 1.0})
