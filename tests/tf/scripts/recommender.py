"""Tables of users and things: factors, a deep and a wide part, embeddings with penalties, ranking."""

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow.keras import layers

rng = np.random.default_rng(50)
ratings = pd.DataFrame({"user": rng.integers(0, 6, 60), "item": rng.integers(0, 8, 60), "rating": rng.integers(1, 6, 60).astype("float32")})
users = {x: i for i, x in enumerate(ratings["user"].unique().tolist())}
ratings["user"] = ratings["user"].map(users)
low, high = ratings["rating"].min(), ratings["rating"].max()
x = ratings[["user", "item"]].values
y = ratings["rating"].apply(lambda r: (r - low) / (high - low)).values


class Factors(tf.keras.Model):
    def __init__(self, users, items, width, **kwargs):
        super().__init__(**kwargs)
        penalty = tf.keras.regularizers.l2(1e-6)
        self.user = layers.Embedding(users, width, embeddings_initializer="he_normal", embeddings_regularizer=penalty)
        self.user_bias = layers.Embedding(users, 1)
        self.item = layers.Embedding(items, width, embeddings_initializer="he_normal", embeddings_regularizer=penalty)
        self.item_bias = layers.Embedding(items, 1)

    def call(self, inputs):
        u, i = self.user(inputs[:, 0]), self.item(inputs[:, 1])
        match = tf.reduce_sum(u * i, axis=1, keepdims=True)
        return tf.nn.sigmoid(match + self.user_bias(inputs[:, 0]) + self.item_bias(inputs[:, 1]))


model = Factors(6, 8, 4)
model(x[:2])
model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
model.compile(loss=tf.keras.losses.BinaryCrossentropy(), optimizer=tf.keras.optimizers.Adam(0.01))
log = model.fit(x=x, y=y, batch_size=12, epochs=3, shuffle=False, verbose=0, validation_data=(x[:20], y[:20])).history
print([f"{v:.4f}" for v in log["loss"]], [f"{v:.4f}" for v in log["val_loss"]])
unseen = np.array([[2, item] for item in range(8)])
scores = model.predict(unseen, verbose=0).flatten()
print(scores.argsort()[-3:][::-1].tolist(), np.round(scores[:3], 3).tolist())

user_in, item_in = layers.Input((1,), name="user"), layers.Input((1,), name="item")
u = layers.Flatten()(layers.Embedding(6, 4, name="users")(user_in))
i = layers.Flatten()(layers.Embedding(8, 4, name="items")(item_in))
dot = layers.dot([u, i], axes=1, normalize=True)
deep = layers.Dense(6, activation="relu")(layers.concatenate([u, i]))
out = layers.Dense(1)(layers.concatenate([dot, deep]))
both = tf.keras.Model([user_in, item_in], out)
both.set_weights([rng.normal(0, 0.3, w.shape) for w in both.get_weights()])
both.compile("adam", "mean_squared_error", metrics=[tf.keras.metrics.RootMeanSquaredError()])
log = both.fit([ratings["user"], ratings["item"]], ratings["rating"], batch_size=20, epochs=2, shuffle=False, verbose=0).history
print([f"{v:.3f}" for v in log["loss"]], f"{log['root_mean_squared_error'][-1]:.3f}")
vectors = both.get_layer("items").get_weights()[0]
normed = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
print((normed @ normed[3]).argsort()[::-1][0], vectors.shape)
frame = ratings.groupby("item")["rating"].mean()
print(len(frame), both.predict([ratings["user"][:3], ratings["item"][:3]], verbose=0).shape)
for name in ("users", "items"):
    np.savetxt(f"{name}.tsv", both.get_layer(name).get_weights()[0], delimiter="\t")
with open("users.tsv") as users_file:
    print(len(users_file.readlines()), tf.keras.metrics.MeanAbsoluteError()([1.0, 2.0], [1.5, 2.0]).numpy())
