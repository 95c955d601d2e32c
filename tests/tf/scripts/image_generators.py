import os
import numpy as np
import pandas as pd
from PIL import Image
import tensorflow as tf
from tensorflow.keras.preprocessing.image import ImageDataGenerator, img_to_array, array_to_img, load_img, save_img
rng = np.random.RandomState(0)
names, labels = [], []
for part, n in (("train", 6), ("val", 3)):
    for label in ("cats", "dogs"):
        os.makedirs(f"data/{part}/{label}")
        for i in range(n):
            path = f"data/{part}/{label}/{label[:-1]}.{i}.png"
            Image.fromarray(rng.randint(0, 255, (10, 12, 3), dtype="uint8")).save(path)
            if part == "train":
                names.append(f"{label}/{label[:-1]}.{i}.png"); labels.append(label)
train_datagen = ImageDataGenerator(rescale=1.0 / 255, rotation_range=20, width_shift_range=0.2, height_shift_range=0.2, shear_range=0.2,
    zoom_range=0.2, horizontal_flip=True, fill_mode="nearest", brightness_range=(0.8, 1.2), channel_shift_range=10.0, validation_split=0.25)
test_datagen = ImageDataGenerator(rescale=1.0 / 255)
train = train_datagen.flow_from_directory("data/train", target_size=(8, 8), batch_size=4, class_mode="binary", subset="training", seed=3)
val = test_datagen.flow_from_directory("data/val", target_size=(8, 8), batch_size=4, class_mode="binary", shuffle=False)
print(train.class_indices, train.samples, train.n, train.batch_size, len(train), val.classes.tolist(), val.filenames[0], train.image_shape)
x, y = next(train)
print(x.shape, x.dtype, y.shape, x.max() <= 1.3)
x, y = val[1]
print(x.shape, y.tolist(), round(float(x[0].mean()), 3))
model = tf.keras.Sequential([tf.keras.layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 3)), tf.keras.layers.Flatten(), tf.keras.layers.Dense(1, activation="sigmoid")])
model.compile("rmsprop", "binary_crossentropy", metrics=["acc"])
h = model.fit(train, steps_per_epoch=train.samples // train.batch_size, epochs=2, validation_data=val, validation_steps=len(val), verbose=0)
print(sorted(h.history))
val.reset()
print(model.predict(val, steps=len(val), verbose=0).shape)
df = pd.DataFrame({"filename": names, "label": labels})
flow = ImageDataGenerator(preprocessing_function=lambda im: im / 127.5 - 1).flow_from_dataframe(df, directory="data/train", x_col="filename", y_col="label",
    target_size=(6, 6), class_mode="categorical", batch_size=5, color_mode="grayscale", shuffle=False)
xb, yb = next(flow)
print(xb.shape, yb[0].tolist(), xb.min() >= -1, flow.class_indices)
raw = ImageDataGenerator().flow_from_dataframe(df.assign(a=range(12), b=1.5), "data/train", x_col="filename", y_col=["a", "b"], class_mode="raw", batch_size=3, shuffle=False)
print(next(raw)[1].tolist())
gen = ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True, zca_whitening=False)
data = rng.rand(10, 6, 6, 3)
gen.fit(data)
b = next(gen.flow(data, np.arange(10), batch_size=10, shuffle=False))
print(abs(b[0].mean()) < 1e-5, b[1].tolist(), gen.mean.shape)
os.makedirs("aug")
img = load_img("data/train/cats/cat.0.png", target_size=(5, 5))
arr = img_to_array(img)
print(arr.shape, arr.dtype, array_to_img(arr).size)
i = 0
for batch in train_datagen.flow(arr[np.newaxis], batch_size=1, save_to_dir="aug", save_prefix="cat", save_format="jpeg"):
    i += 1
    if i > 3:
        break
print(len(os.listdir("aug")))
t = train_datagen.get_random_transform((5, 5, 3), seed=1)
print(sorted(t)[:3], train_datagen.apply_transform(arr, {"theta": 0, "flip_horizontal": True}).shape, train_datagen.random_transform(arr).shape)
save_img("x.png", arr)
pair = zip(ImageDataGenerator(horizontal_flip=True).flow(data, batch_size=2, seed=7), ImageDataGenerator(horizontal_flip=True).flow(data, batch_size=2, seed=7))
p, q = next(pair)
print(np.allclose(p, q))
none = test_datagen.flow_from_directory("data", target_size=(4, 4), classes=["val"], class_mode=None, batch_size=100)
print(next(none).shape)
sparse = test_datagen.flow_from_directory("data/val", target_size=(4, 4), class_mode="sparse", batch_size=2, shuffle=False)
print(next(sparse)[1].tolist(), tf.keras.preprocessing.image.smart_resize(arr, (3, 3)).shape)
