# U-Net on pictures from files, with tf.data, masks, augmentation in a layer, dice and IoU
import os, glob
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.keras import layers as L
rng = np.random.RandomState(0); os.makedirs("im"); os.makedirs("ma")
for i in range(6):
    Image.fromarray(rng.randint(0, 255, (20, 24, 3), dtype="uint8")).save(f"im/{i}.jpg"); Image.fromarray((rng.rand(20, 24) > 0.5).astype("uint8") * 2).save(f"ma/{i}.png")
images, masks = sorted(glob.glob("im/*.jpg")), sorted(glob.glob("ma/*.png"))
def read(im, ma):
    x = tf.image.decode_jpeg(tf.io.read_file(im), channels=3); x = tf.image.convert_image_dtype(x, tf.float32); x = tf.image.resize(x, (16, 16), method="bilinear")
    m = tf.image.decode_png(tf.io.read_file(ma), channels=1); m = tf.image.resize(m, (16, 16), method=tf.image.ResizeMethod.NEAREST_NEIGHBOR)
    m = tf.math.reduce_max(m, axis=-1, keepdims=True)
    return x, m
ds = tf.data.Dataset.from_tensor_slices((images, masks)).map(read, num_parallel_calls=tf.data.AUTOTUNE)
class Augment(L.Layer):
    def __init__(self, seed=42):
        super().__init__()
        self.augment_inputs = L.RandomFlip(mode="horizontal", seed=seed); self.augment_labels = L.RandomFlip(mode="horizontal", seed=seed)
    def call(self, inputs, labels):
        return self.augment_inputs(inputs), self.augment_labels(labels)
train = ds.cache().shuffle(6).batch(3).repeat().map(Augment()).prefetch(buffer_size=tf.data.AUTOTUNE)
x, m = next(iter(train)); print(x.shape, m.shape, m.dtype.name if hasattr(m.dtype, "name") else m.dtype)
def block(x, f, name):
    x = L.Conv2D(f, 3, padding="same", kernel_initializer="he_normal", name=name + "a")(x); x = L.BatchNormalization()(x); return L.Activation("relu")(x)
def unet(n=3):
    inp = L.Input(shape=[16, 16, 3]); skips = []; x = inp
    for i, f in enumerate((4, 8)):
        x = block(x, f, f"d{i}"); skips.append(x); x = L.MaxPooling2D((2, 2))(x)
    x = L.Dropout(0.1)(block(x, 8, "mid"))
    for i, (f, s) in enumerate(zip((8, 4), reversed(skips))):
        x = L.Conv2DTranspose(f, 2, strides=(2, 2), padding="same")(x); x = L.Concatenate()([x, s]); x = block(x, f, f"u{i}")
    return tf.keras.Model(inputs=inp, outputs=L.Conv2D(n, 1, padding="same")(x))
class UpdatedMeanIoU(tf.keras.metrics.MeanIoU):
    def __init__(self, y_true=None, y_pred=None, num_classes=None, name=None, dtype=None):
        super().__init__(num_classes=num_classes, name=name, dtype=dtype)
    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(y_true, tf.math.argmax(y_pred, axis=-1), sample_weight)
model = unet(); model.compile(optimizer="adam", loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy", UpdatedMeanIoU(num_classes=3, name="iou")])
class Display(tf.keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        p = self.model.predict(x, verbose=0); mask = tf.expand_dims(tf.argmax(p, axis=-1), -1)[0]; print("epoch", epoch, mask.shape)
h = model.fit(train, epochs=2, steps_per_epoch=2, validation_steps=1, validation_data=ds.batch(3), callbacks=[Display()], verbose=0); print(sorted(h.history))
def add_sample_weights(image, label):
    w = tf.constant([2.0, 2.0, 1.0]); w = w / tf.reduce_sum(w); return image, label, tf.gather(w, indices=tf.cast(label, tf.int32))
print([e.shape for e in next(iter(ds.batch(2).map(add_sample_weights)))])
model.fit(ds.batch(3).map(add_sample_weights), epochs=1, verbose=0)
def dice(y_true, y_pred):
    y = tf.one_hot(tf.cast(y_true[..., 0], tf.int32), 3); p = tf.nn.softmax(y_pred); i = tf.reduce_sum(y * p, axis=(1, 2)); u = tf.reduce_sum(y + p, axis=[1, 2]); return 1.0 - tf.reduce_mean((2 * i + 1e-6) / (u + 1e-6))
print(0 < float(dice(m, model(x))) < 1)
bx = tf.image.draw_bounding_boxes(x, tf.constant([[[0.1, 0.1, 0.5, 0.5]]] * 3), tf.constant([[1.0, 0, 0]])); print(bx.shape, tf.image.crop_and_resize(x, [[0.0, 0, 0.5, 0.5]], [0], [4, 4]).shape, tf.image.non_max_suppression([[0.0, 0, 1, 1], [0, 0, 0.9, 1], [2, 2, 3, 3]], [0.9, 0.8, 0.7], 5, iou_threshold=0.5).numpy().tolist())
d = tf.keras.utils.image_dataset_from_directory(".", labels=None, image_size=(8, 8), batch_size=4, verbose=False) if False else tf.data.Dataset.from_tensors(x); print(next(iter(d)).shape)
for f in ("random_brightness", "random_contrast", "random_saturation", "random_hue"):
    a = (x, 0.2) if f in ("random_brightness", "random_hue") else (x, 0.5, 1.5); print(f, getattr(tf.image, f)(*a).shape)
print(tf.image.rgb_to_grayscale(x).shape, tf.image.flip_up_down(x)[0, 0, 0].shape, tf.image.rot90(x[0]).shape, tf.image.adjust_gamma(x, 0.8).shape, tf.image.per_image_standardization(x).shape, tf.image.resize_with_pad(x, 10, 20).shape, tf.image.resize_with_crop_or_pad(x, 10, 20).shape, tf.image.central_crop(x, 0.5).shape, round(float(tf.image.psnr(x, x * 0.9, 1.0)[0]) > 5), tf.image.ssim(x, x, 1.0).numpy().round(2).tolist(), tf.image.sobel_edges(x).shape, tf.image.extract_patches(x, [1, 4, 4, 1], [1, 4, 4, 1], [1, 1, 1, 1], "VALID").shape)
