"""Pictures in folders, augmented by layers, by tf.image in a pipeline and by the old generator."""

import os

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.keras.preprocessing.image import ImageDataGenerator, img_to_array, load_img

rng = np.random.RandomState(23)
for kind, colour in (("cats", 200), ("dogs", 60)):
    os.makedirs(f"pictures/{kind}", exist_ok=True)
    for number in range(5):
        pixels = np.clip(rng.normal(colour, 20, (20, 24, 3)), 0, 255).astype("uint8")
        Image.fromarray(pixels).save(f"pictures/{kind}/{number}.png")
kwargs = dict(validation_split=0.2, seed=1, image_size=(16, 16), batch_size=4)
train = tf.keras.utils.image_dataset_from_directory("pictures", subset="training", **kwargs)
val = tf.keras.preprocessing.image_dataset_from_directory("pictures", subset="validation", **kwargs)
print(train.class_names, len(train), len(val))
for pictures, labels in train.take(1):
    print(pictures.shape, pictures.dtype.name, labels.shape, labels.dtype.name)

augment = tf.keras.Sequential(
    [
        tf.keras.layers.RandomFlip("horizontal", input_shape=(16, 16, 3)),
        tf.keras.layers.RandomRotation(0.1),
        tf.keras.layers.RandomZoom(0.1),
        tf.keras.layers.RandomContrast(0.1),
    ]
)
still = augment(pictures, training=False)
print("untouched", np.array_equal(still, pictures), augment(pictures, training=True).shape)
model = tf.keras.Sequential(
    [augment, tf.keras.layers.Rescaling(1.0 / 255), tf.keras.layers.Conv2D(4, 3, activation="relu"), tf.keras.layers.Flatten(), tf.keras.layers.Dense(2)]
)
model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
log = model.fit(train.cache().shuffle(10).prefetch(tf.data.AUTOTUNE), validation_data=val, epochs=6, verbose=0).history
print("learns", log["loss"][-1] < log["loss"][0], sorted(log))


def prepare(path):
    label = tf.cast(tf.strings.split(path, os.sep)[-2] == "dogs", tf.int32)
    picture = tf.io.decode_png(tf.io.read_file(path), channels=3)
    picture = tf.image.convert_image_dtype(picture, tf.float32)
    picture = tf.image.resize_with_pad(picture, 18, 18)
    picture = tf.image.random_flip_left_right(tf.image.random_crop(picture, [16, 16, 3]))
    picture = tf.image.random_brightness(tf.image.random_saturation(picture, 0.8, 1.2), 0.1)
    return tf.clip_by_value(picture, 0, 1), label


files = tf.data.Dataset.list_files("pictures/*/*.png", shuffle=False)
print(files.cardinality().numpy(), next(iter(files)).numpy())
for pictures, labels in files.map(prepare, num_parallel_calls=tf.data.AUTOTUNE).batch(10):
    print(pictures.shape, float(tf.reduce_max(pictures)) <= 1, labels.numpy().tolist())

generator = ImageDataGenerator(rescale=1 / 255.0, rotation_range=20, width_shift_range=0.1, horizontal_flip=True, validation_split=0.2)
flow = generator.flow_from_directory("pictures", target_size=(16, 16), batch_size=4, class_mode="binary", subset="training")
pictures, labels = next(flow)
print(pictures.shape, labels.shape, flow.class_indices, flow.samples, len(flow))
array = img_to_array(load_img("pictures/cats/0.png", target_size=(8, 8)))
print(array.shape, array.dtype, tf.keras.utils.array_to_img(array).size)
