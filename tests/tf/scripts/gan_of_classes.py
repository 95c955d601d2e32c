# class-based GANs of the public kind: train_on_batch with trainable switched off, and train_step
import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import Input, Dense, Reshape, Flatten, Dropout, BatchNormalization, Activation, ZeroPadding2D, LeakyReLU, UpSampling2D, Conv2D, Embedding, multiply
from tensorflow.keras.models import Sequential, Model
from tensorflow.keras.optimizers import Adam
class GAN():
    def __init__(self):
        self.img_shape = (8, 8, 1); self.latent_dim = 5
        optimizer = Adam(0.0002, 0.5)
        self.discriminator = self.build_discriminator()
        self.discriminator.compile(loss="binary_crossentropy", optimizer=optimizer, metrics=["accuracy"])
        self.generator = self.build_generator()
        z = Input(shape=(self.latent_dim,))
        img = self.generator(z)
        self.discriminator.trainable = False
        validity = self.discriminator(img)
        self.combined = Model(z, validity)
        self.combined.compile(loss="binary_crossentropy", optimizer=Adam(0.0002, 0.5))
    def build_generator(self):
        model = Sequential()
        model.add(Dense(16 * 2 * 2, activation="relu", input_dim=self.latent_dim))
        model.add(Reshape((2, 2, 16)))
        model.add(UpSampling2D())
        model.add(Conv2D(8, kernel_size=3, padding="same"))
        model.add(BatchNormalization(momentum=0.8))
        model.add(Activation("relu"))
        model.add(UpSampling2D())
        model.add(Conv2D(1, kernel_size=3, padding="same"))
        model.add(Activation("tanh"))
        noise = Input(shape=(self.latent_dim,))
        return Model(noise, model(noise))
    def build_discriminator(self):
        model = Sequential()
        model.add(Conv2D(4, kernel_size=3, strides=2, input_shape=self.img_shape, padding="same"))
        model.add(LeakyReLU(0.2))
        model.add(Dropout(0.25))
        model.add(ZeroPadding2D(padding=((0, 1), (0, 1))))
        model.add(Flatten())
        model.add(Dense(1, activation="sigmoid"))
        img = Input(shape=self.img_shape)
        return Model(img, model(img))
    def train(self, epochs, batch_size=8):
        X = np.random.RandomState(0).rand(20, 8, 8, 1) * 2 - 1
        valid, fake = np.ones((batch_size, 1)), np.zeros((batch_size, 1))
        for epoch in range(epochs):
            idx = np.random.randint(0, X.shape[0], batch_size)
            noise = np.random.normal(0, 1, (batch_size, self.latent_dim))
            gen = self.generator.predict(noise, verbose=0)
            before = [w.copy() for w in self.discriminator.get_weights()]
            g0 = [w.copy() for w in self.generator.get_weights()]
            d_loss = 0.5 * np.add(self.discriminator.train_on_batch(X[idx], valid), self.discriminator.train_on_batch(gen, fake))
            after = [w.copy() for w in self.discriminator.get_weights()]
            g_loss = self.combined.train_on_batch(noise, valid)
            final = self.discriminator.get_weights()
            print(epoch, d_loss.shape, np.isfinite(g_loss), any((a != b).any() for a, b in zip(before, after)), all((a == b).all() for a, b in zip(after, final)), any((a != b).any() for a, b in zip(g0, self.generator.get_weights())))
gan = GAN(); gan.train(3)
print(len(gan.discriminator.trainable_weights), len(gan.combined.trainable_weights), len(gan.discriminator.weights))
label = Input(shape=(1,), dtype="int32"); noise = Input(shape=(5,)); emb = Flatten()(Embedding(10, 5)(label)); mi = multiply([noise, emb]); cg = Model([noise, label], Dense(3)(mi)); print(cg.predict([np.ones((2, 5)), np.array([[1], [2]])], verbose=0).shape)
class CGAN(tf.keras.Model):
    def __init__(self, d, g, dim):
        super().__init__(); self.d, self.g, self.dim = d, g, dim
        self.gt, self.dt = tf.keras.metrics.Mean(name="g_loss"), tf.keras.metrics.Mean(name="d_loss")
    @property
    def metrics(self): return [self.gt, self.dt]
    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile(); self.do, self.go, self.loss_fn = d_optimizer, g_optimizer, loss_fn
    def train_step(self, data):
        real, y = data
        b = tf.shape(real)[0]
        z = tf.random.normal(shape=(b, self.dim))
        fake = self.g(z)
        both = tf.concat([fake, real], axis=0)
        labels = tf.concat([tf.ones((b, 1)), tf.zeros((b, 1))], axis=0)
        labels += 0.05 * tf.random.uniform(tf.shape(labels))
        with tf.GradientTape() as tape:
            dl = self.loss_fn(labels, self.d(both))
        self.do.apply_gradients(zip(tape.gradient(dl, self.d.trainable_weights), self.d.trainable_weights))
        with tf.GradientTape() as tape:
            gl = self.loss_fn(tf.zeros((b, 1)), self.d(self.g(tf.random.normal(shape=(b, self.dim)))))
        self.go.apply_gradients(zip(tape.gradient(gl, self.g.trainable_weights), self.g.trainable_weights))
        self.gt.update_state(gl); self.dt.update_state(dl)
        return {"g_loss": self.gt.result(), "d_loss": self.dt.result()}
class Mon(tf.keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        z = tf.random.normal(shape=(2, 3)); im = self.model.g(z); im *= 255; im.numpy(); tf.keras.utils.array_to_img(im[0]).save("g_%d.png" % epoch)
d = Sequential([tf.keras.Input((4, 4, 1)), Flatten(), Dense(4), LeakyReLU(0.2), Dense(1)]); g = Sequential([tf.keras.Input((3,)), Dense(16), Reshape((4, 4, 1))])
c = CGAN(d, g, 3); c.compile(Adam(1e-3), Adam(1e-3), tf.keras.losses.BinaryCrossentropy(from_logits=True))
h = c.fit(np.random.rand(10, 4, 4, 1).astype("float32"), np.zeros(10), batch_size=4, epochs=2, callbacks=[Mon()], verbose=0); print(sorted(h.history))
