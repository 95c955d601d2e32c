import numpy as np
import tensorflow as tf

K = tf.keras.backend


def double_conv(x, filters):
    for _ in range(2):
        x = tf.keras.layers.Conv2D(filters, 3, activation="relu", padding="same")(x)
    return x


def unet(size=16):
    inputs = tf.keras.layers.Input((size, size, 1))
    c1 = double_conv(inputs, 4)
    p1 = tf.keras.layers.MaxPool2D()(c1)
    c2 = double_conv(p1, 8)
    p2 = tf.keras.layers.MaxPool2D()(c2)
    middle = tf.keras.layers.Dropout(0.0)(double_conv(p2, 8))
    u2 = tf.keras.layers.Conv2DTranspose(8, 2, strides=2, padding="same")(middle)
    u2 = double_conv(tf.keras.layers.concatenate([u2, c2]), 8)
    u1 = tf.keras.layers.UpSampling2D(2, interpolation="bilinear")(u2)
    u1 = double_conv(tf.keras.layers.Concatenate(axis=-1)([u1, c1]), 4)
    outputs = tf.keras.layers.Conv2D(1, 1, activation="sigmoid")(u1)
    return tf.keras.Model(inputs=[inputs], outputs=[outputs])


def dice_coefficient(y_true, y_pred, smooth=1.0):
    y_true = tf.reshape(tf.cast(y_true, tf.float32), [-1])
    y_pred = tf.reshape(y_pred, [-1])
    overlap = tf.reduce_sum(y_true * y_pred)
    return (2.0 * overlap + smooth) / (tf.reduce_sum(y_true) + tf.reduce_sum(y_pred) + smooth)


def dice_loss(y_true, y_pred):
    return 1.0 - dice_coefficient(y_true, y_pred)


rng = np.random.default_rng(4)
images = rng.random((8, 16, 16, 1), dtype="float32")
masks = (images > 0.5).astype("float32")
model = unet()
model.set_weights([rng.normal(0, 0.2, w.shape) for w in model.get_weights()])
model.compile(optimizer="adam", loss=dice_loss, metrics=[dice_coefficient, "binary_accuracy"])
history = model.fit(images, masks, batch_size=4, epochs=2, shuffle=False, verbose=0)
print("loss", [f"{v:.4f}" for v in history.history["loss"]])
print("dice", [f"{v:.4f}" for v in history.history["dice_coefficient"]])
predicted = model.predict(images, verbose=0)
print(predicted.shape, f"{predicted.mean():.4f}")
iou = tf.keras.metrics.MeanIoU(num_classes=2)
iou.update_state(masks, (predicted > 0.5).astype("int32"))
print("mean iou", f"{iou.result().numpy():.3f}", "layers", len(model.layers))
