"""Training steps as published for tf.keras, in words of our own, for whichever Keras they are given.

`make_published_patterns.py` runs them with TensorFlow 2.15.1 and keeps the numbers;
`tests/field/test_published_patterns.py` runs the same lines here. Noise and views of the data are
data, as random draws differ.
"""

import numpy as np

STEPS_AN_EPOCH, EPOCHS, BATCH = 10, 5, 8
ROWS = STEPS_AN_EPOCH * BATCH


def distillation(keras, tape, maths):
    """A student learns from labels and from its teacher's softened answers (Hinton et al. 2015)."""

    class Distiller(keras.Model):
        def __init__(self, student, teacher):
            super().__init__()
            self.student, self.teacher = student, teacher

        def compile(self, optimizer, metrics, student_loss, distance, alpha, temperature):
            super().compile(optimizer=optimizer, metrics=metrics)
            self.student_loss, self.distance = student_loss, distance
            self.alpha, self.temperature = alpha, temperature

        def call(self, x, training=False):
            return self.student(x, training=training)

        def train_step(self, data):
            x, y = data
            taught = self.teacher(x, training=False)
            with tape() as recorded:
                learnt = self.student(x, training=True)
                own = self.student_loss(y, learnt)
                soft = self.distance(
                    maths.softmax(taught / self.temperature),
                    maths.softmax(learnt / self.temperature),
                )
                loss = self.alpha * own + (1 - self.alpha) * soft * self.temperature**2
            variables = self.student.trainable_variables
            self.optimizer.apply_gradients(zip(recorded.gradient(loss, variables), variables))
            self.compiled_metrics.update_state(y, learnt)
            results = {m.name: m.result() for m in self.metrics}
            results.update({"student_loss": own, "distillation_loss": soft})
            return results

    dense = keras.layers.Dense
    student = keras.Sequential([keras.Input((6,)), dense(5, activation="relu"), dense(3)])
    teacher = keras.Sequential([keras.Input((6,)), dense(9, activation="tanh"), dense(3)])
    model = Distiller(student, teacher)
    model.compile(
        keras.optimizers.Adam(0.01),
        [keras.metrics.SparseCategoricalAccuracy()],
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        keras.losses.KLDivergence(),
        0.1,
        3.0,
    )
    return model, [student, teacher]


def contrastive(keras, tape, maths):
    """Two views of a sample find each other among all of a batch, and a linear probe reads the
    features: two optimizers, two tapes (SimCLR, Chen et al. 2020)."""

    class Contrastive(keras.Model):
        def __init__(self, encoder, head, probe):
            super().__init__()
            self.encoder, self.head, self.probe = encoder, head, probe

        def compile(self, contrastive_optimizer, probe_optimizer):
            super().compile()
            self.contrastive_optimizer = contrastive_optimizer
            self.probe_optimizer = probe_optimizer
            self.contrastive_mean = keras.metrics.Mean(name="contrastive")
            self.probe_mean = keras.metrics.Mean(name="probe")
            self.probe_accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")

        @property
        def metrics(self):
            return [self.contrastive_mean, self.probe_mean, self.probe_accuracy]

        def distance(self, one, other):
            one, other = (p / maths.sqrt(maths.sum_of_squares(p)) for p in (one, other))
            likeness = maths.outer(one, other) / 0.1
            places = maths.arange(BATCH)
            compare = keras.losses.sparse_categorical_crossentropy
            there = compare(places, likeness, from_logits=True)
            back = compare(places, maths.transpose(likeness), from_logits=True)
            return maths.mean(there + back) / 2

        def train_step(self, data):
            (first, second), labels = data
            with tape() as recorded:
                one = self.head(self.encoder(first, training=True), training=True)
                other = self.head(self.encoder(second, training=True), training=True)
                loss = self.distance(one, other)
            variables = self.encoder.trainable_weights + self.head.trainable_weights
            slopes = recorded.gradient(loss, variables)
            self.contrastive_optimizer.apply_gradients(zip(slopes, variables))
            self.contrastive_mean.update_state(loss)
            with tape() as recorded:
                logits = self.probe(self.encoder(first, training=False), training=True)
                loss = maths.mean(
                    keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
                )
            slopes = recorded.gradient(loss, self.probe.trainable_weights)
            self.probe_optimizer.apply_gradients(zip(slopes, self.probe.trainable_weights))
            self.probe_mean.update_state(loss)
            self.probe_accuracy.update_state(labels, logits)
            return {m.name: m.result() for m in self.metrics}

    dense = keras.layers.Dense
    encoder = keras.Sequential([keras.Input((6,)), dense(8, activation="relu"), dense(5)])
    head = keras.Sequential([keras.Input((5,)), dense(4, activation="relu"), dense(4)])
    probe = keras.Sequential([keras.Input((5,)), dense(3)])
    model = Contrastive(encoder, head, probe)
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.1, momentum=0.9))
    return model, [encoder, head, probe]


def diffusion(keras, tape, maths):
    """A network tells the noise in images mixed by a cosine schedule, and a slow average of it is
    kept (DDIM, Song et al. 2021)."""

    class Diffusion(keras.Model):
        def __init__(self, network, average):
            super().__init__()
            self.network, self.average = network, average

        def compile(self, **kwargs):
            super().compile(**kwargs)
            self.noise_mean = keras.metrics.Mean(name="noise")
            self.image_mean = keras.metrics.Mean(name="image")

        @property
        def metrics(self):
            return [self.noise_mean, self.image_mean]

        def rates(self, times):
            first, last = np.arccos(0.95), np.arccos(0.02)
            angles = first + times * (last - first)
            return maths.sin(angles), maths.cos(angles)

        def denoised(self, noisy, noise_rates, signal_rates, training):
            network = self.network if training else self.average
            noises = network([noisy, noise_rates**2], training=training)
            return noises, (noisy - noise_rates * noises) / signal_rates

        def train_step(self, data):
            images, noises, times = data[0]
            noise_rates, signal_rates = self.rates(times)
            noisy = signal_rates * images + noise_rates * noises
            with tape() as recorded:
                found, clean = self.denoised(noisy, noise_rates, signal_rates, True)
                noise_loss, image_loss = self.loss(noises, found), self.loss(images, clean)
            variables = self.network.trainable_weights
            slopes = recorded.gradient(noise_loss, variables)
            self.optimizer.apply_gradients(zip(slopes, variables))
            self.noise_mean.update_state(noise_loss)
            self.image_mean.update_state(image_loss)
            for weight, mean in zip(self.network.weights, self.average.weights):
                mean.assign(0.9 * mean + (1 - 0.9) * weight)
            return {m.name: m.result() for m in self.metrics}

    def network():
        noisy, variance = keras.Input((4, 4, 1)), keras.Input((1, 1, 1))
        layers = keras.layers
        spread = layers.UpSampling2D(4, interpolation="nearest")(variance)
        hidden = layers.Concatenate()([noisy, spread])
        hidden = layers.Conv2D(4, 3, padding="same", activation="swish")(hidden)
        hidden = layers.Conv2D(4, 3, padding="same", activation="swish")(hidden)
        return keras.Model([noisy, variance], layers.Conv2D(1, 1)(hidden))

    parts = [network(), network()]
    model = Diffusion(*parts)
    model.compile(
        optimizer=keras.optimizers.AdamW(0.01, weight_decay=0.004),
        loss=keras.losses.MeanAbsoluteError(),
    )
    return model, parts


PATTERNS = {"distillation": distillation, "contrastive": contrastive, "diffusion": diffusion}


def data_of(name, rng):
    """(x, y) of a pattern, drawn once."""

    def draw(*shape):
        return rng.normal(size=(ROWS, *shape)).astype("float32")

    labels = rng.integers(0, 3, ROWS).astype("int32")
    if name == "distillation":
        return {"x": draw(6), "y": labels}
    if name == "contrastive":
        base = draw(6)
        return {"x0": base + 0.3 * draw(6), "x1": base + 0.3 * draw(6), "y": labels}
    return {
        "x0": draw(4, 4, 1),
        "x1": draw(4, 4, 1),
        "x2": rng.uniform(size=(ROWS, 1, 1, 1)).astype("float32"),
    }


def trained(model, arrays):
    """The logs of fifty steps."""
    parts = [arrays[key] for key in sorted(arrays) if key.startswith("x")]
    x = parts[0] if len(parts) == 1 else tuple(parts)
    history = model.fit(
        x, arrays.get("y"), batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0
    )
    return history.history
