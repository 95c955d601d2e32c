import numpy as np
import tensorflow as tf
def positional_encoding(length, depth):
    depth = depth / 2
    positions = np.arange(length)[:, np.newaxis]
    depths = np.arange(depth)[np.newaxis, :] / depth
    rads = positions * (1 / (10000 ** depths))
    return tf.cast(np.concatenate([np.sin(rads), np.cos(rads)], axis=-1), dtype=tf.float32)
def create_padding_mask(seq):
    seq = tf.cast(tf.math.equal(seq, 0), tf.float32)
    return seq[:, tf.newaxis, tf.newaxis, :]
def create_look_ahead_mask(size):
    return 1 - tf.linalg.band_part(tf.ones((size, size)), -1, 0)
def scaled_dot_product_attention(q, k, v, mask):
    qk = tf.matmul(q, k, transpose_b=True)
    dk = tf.cast(tf.shape(k)[-1], tf.float32)
    logits = qk / tf.math.sqrt(dk)
    if mask is not None:
        logits += (mask * -1e9)
    w = tf.nn.softmax(logits, axis=-1)
    return tf.matmul(w, v), w
class MHA(tf.keras.layers.Layer):
    def __init__(self, d_model, num_heads):
        super(MHA, self).__init__()
        self.num_heads, self.d_model = num_heads, d_model
        assert d_model % self.num_heads == 0
        self.depth = d_model // num_heads
        self.wq = tf.keras.layers.Dense(d_model); self.wk = tf.keras.layers.Dense(d_model); self.wv = tf.keras.layers.Dense(d_model); self.dense = tf.keras.layers.Dense(d_model)
    def split_heads(self, x, batch_size):
        x = tf.reshape(x, (batch_size, -1, self.num_heads, self.depth))
        return tf.transpose(x, perm=[0, 2, 1, 3])
    def call(self, v, k, q, mask):
        b = tf.shape(q)[0]
        q, k, v = self.split_heads(self.wq(q), b), self.split_heads(self.wk(k), b), self.split_heads(self.wv(v), b)
        a, w = scaled_dot_product_attention(q, k, v, mask)
        a = tf.reshape(tf.transpose(a, perm=[0, 2, 1, 3]), (b, -1, self.d_model))
        return self.dense(a), w
def ffn(d, f):
    return tf.keras.Sequential([tf.keras.layers.Dense(f, activation="relu"), tf.keras.layers.Dense(d)])
class EncoderLayer(tf.keras.layers.Layer):
    def __init__(self, d, h, f, rate=0.1):
        super().__init__()
        self.mha = MHA(d, h); self.ffn = ffn(d, f)
        self.n1 = tf.keras.layers.LayerNormalization(epsilon=1e-6); self.n2 = tf.keras.layers.LayerNormalization(epsilon=1e-6)
        self.d1 = tf.keras.layers.Dropout(rate); self.d2 = tf.keras.layers.Dropout(rate)
    def call(self, x, training=None, mask=None):
        a, _ = self.mha(x, x, x, mask)
        o = self.n1(x + self.d1(a, training=training))
        return self.n2(o + self.d2(self.ffn(o), training=training))
class Encoder(tf.keras.layers.Layer):
    def __init__(self, n, d, h, f, vocab, maxpos):
        super().__init__()
        self.d, self.n = d, n
        self.embedding = tf.keras.layers.Embedding(vocab, d)
        self.pos = positional_encoding(maxpos, d)
        self.enc = [EncoderLayer(d, h, f) for _ in range(n)]
        self.dropout = tf.keras.layers.Dropout(0.1)
    def call(self, x, training=None, mask=None):
        seq_len = tf.shape(x)[1]
        x = self.embedding(x)
        x *= tf.math.sqrt(tf.cast(self.d, tf.float32))
        x += self.pos[tf.newaxis, :seq_len, :]
        x = self.dropout(x, training=training)
        for i in range(self.n):
            x = self.enc[i](x, training=training, mask=mask)
        return x
class Net(tf.keras.Model):
    def __init__(self, n, d, h, f, vocab):
        super().__init__()
        self.encoder = Encoder(n, d, h, f, vocab, 50); self.final = tf.keras.layers.Dense(vocab)
    def call(self, inputs, training=None):
        inp, tar = inputs
        mask = tf.maximum(create_padding_mask(inp), create_look_ahead_mask(tf.shape(inp)[1]))
        return self.final(self.encoder(inp, training=training, mask=mask))
class CustomSchedule(tf.keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, d_model, warmup_steps=4000):
        super().__init__()
        self.d_model = tf.cast(d_model, tf.float32); self.warmup_steps = warmup_steps
    def __call__(self, step):
        step = tf.cast(step, dtype=tf.float32)
        return tf.math.rsqrt(self.d_model) * tf.math.minimum(tf.math.rsqrt(step), step * (self.warmup_steps ** -1.5))
rng = np.random.RandomState(0)
net = Net(2, 8, 2, 16, 11)
x = rng.randint(1, 11, (6, 7)); x[:, 5:] = 0
out = net((x, x), training=False); print(out.shape, len(net.trainable_variables))
net.set_weights([rng.normal(0, 0.3, w.shape) for w in net.get_weights()])
print(np.round(net((x, x), training=False)[0, 0, :4].numpy(), 4).tolist(), np.round(net((x[:1, :2], x), training=False)[0, 0, :2].numpy(), 4).tolist())
print([round(float(CustomSchedule(128)(tf.constant(s))), 7) for s in (1, 4000, 8000)], create_look_ahead_mask(3).numpy().tolist())
loss_object = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
def loss_function(real, pred):
    mask = tf.math.logical_not(tf.math.equal(real, 0))
    loss_ = loss_object(real, pred)
    mask = tf.cast(mask, dtype=loss_.dtype)
    loss_ *= mask
    return tf.reduce_sum(loss_) / tf.reduce_sum(mask)
def accuracy_function(real, pred):
    acc = tf.equal(tf.cast(real, tf.int64), tf.argmax(pred, axis=2))
    mask = tf.math.logical_not(tf.math.equal(real, 0))
    acc = tf.math.logical_and(mask, acc)
    return tf.reduce_sum(tf.cast(acc, tf.float32)) / tf.reduce_sum(tf.cast(mask, tf.float32))
opt = tf.keras.optimizers.Adam(CustomSchedule(8, 10), beta_1=0.9, beta_2=0.98, epsilon=1e-9)
tl = tf.keras.metrics.Mean(name="train_loss")
@tf.function(input_signature=[tf.TensorSpec(shape=(None, None), dtype=tf.int64), tf.TensorSpec(shape=(None, None), dtype=tf.int64)])
def train_step(inp, tar):
    with tf.GradientTape() as tape:
        p = net([inp, tar], training=True)
        loss = loss_function(tar, p)
    opt.apply_gradients(zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables))
    tl(loss)
    return accuracy_function(tar, p)
for i in range(3):
    a = train_step(tf.constant(x, tf.int64), tf.constant(np.roll(x, -1, 1), tf.int64))
a = train_step(tf.constant(x[:2, :4], tf.int64), tf.constant(x[:2, :4], tf.int64))
print(0 <= float(a) <= 1, tl.result() > 0, int(opt.iterations))
output = tf.convert_to_tensor([[1]]); 
for i in range(2):
    pred = net((output, output), training=False)[:, -1:, :]
    pid = tf.cast(tf.argmax(pred, axis=-1), tf.int32)
    output = tf.concat([output, pid], axis=-1)
ta = tf.TensorArray(dtype=tf.int64, size=0, dynamic_size=True).write(0, [1]); print(output.shape, tf.squeeze(output, axis=0).numpy()[0], tf.transpose(ta.stack()).shape)
