import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import *
from tensorflow.keras.models import Sequential, Model
from tensorflow.keras import backend as K
rng = np.random.RandomState(5)
def fix(m):
    m.set_weights([rng.normal(0, 0.4, w.shape) for w in m.get_weights()]); return m
m = fix(Sequential([Input(batch_shape=(2, 3, 1)), LSTM(4, stateful=True, return_sequences=True), LSTM(3, stateful=True), Dense(1)]))
x = rng.rand(2, 3, 1)
a = m.predict(x, batch_size=2, verbose=0); b = m.predict(x, batch_size=2, verbose=0)
m.layers[0].reset_states() if hasattr(m.layers[0], "reset_states") else m.layers[0].reset_state()
m.layers[1].reset_states() if hasattr(m.layers[1], "reset_states") else m.layers[1].reset_state()
c = m.predict(x, batch_size=2, verbose=0)
print(np.round(a.ravel(), 4).tolist(), np.round(b.ravel(), 4).tolist(), np.allclose(a, c, atol=1e-5))
m.compile("adam", "mse")
for i in range(2):
    m.fit(x, np.ones((2, 1)), epochs=1, batch_size=2, verbose=0, shuffle=False)
i = Input((4, 2)); k = Masking(mask_value=-1.0)(i)
s = fix(Model(i, [GRU(3)(k), TimeDistributed(Dense(2))(k), SimpleRNN(2, go_backwards=True)(k)]))
d = rng.rand(2, 4, 2); d[0, 2:] = -1.0
print([np.round(o[0].ravel()[:3], 4).tolist() for o in s.predict(d, verbose=0)])
e = Embedding(5, 3, mask_zero=True); ids = np.array([[1, 2, 0], [3, 0, 0]])
mask = e.compute_mask(ids); print(np.asarray(mask).tolist())
out = e(ids); print(out.shape, getattr(out, "_keras_mask", None) is not None)
class MaskedMean(Layer):
    def __init__(self, **kw):
        super().__init__(**kw); self.supports_masking = True
    def call(self, x, mask=None):
        if mask is None: return K.mean(x, axis=1)
        f = K.cast(mask, K.floatx()); f = K.expand_dims(f, -1)
        return K.sum(x * f, axis=1) / K.sum(f, axis=1)
    def compute_mask(self, x, mask=None): return None
    def compute_output_shape(self, s): return (s[0], s[2])
j = Input((3,)); mm = fix(Model(j, MaskedMean()(Embedding(5, 3, mask_zero=True)(j))))
print(np.round(mm.predict(ids, verbose=0), 4).tolist())
bi = fix(Sequential([Bidirectional(LSTM(2, return_sequences=True), merge_mode="sum", input_shape=(3, 2)), Bidirectional(GRU(2), merge_mode="ave")]))
print(np.round(bi.predict(np.ones((1, 3, 2)), verbose=0), 4).tolist())
class MinimalCell(Layer):
    def __init__(self, units, **kw):
        self.units = units; self.state_size = units; super().__init__(**kw)
    def build(self, s):
        self.k = self.add_weight(shape=(s[-1], self.units), initializer="ones", name="k"); self.r = self.add_weight(shape=(self.units, self.units), initializer="ones", name="r"); self.built = True
    def call(self, inputs, states):
        h = K.dot(inputs, self.k) * 0.1 + K.dot(states[0], self.r) * 0.1
        return h, [h]
ri = Input((None, 2)); rm = Model(ri, RNN([MinimalCell(3), MinimalCell(2)])(ri)); print(np.round(rm.predict(np.ones((1, 4, 2)), verbose=0), 4).tolist())
cl = fix(Sequential([ConvLSTM2D(2, 3, padding="same", return_sequences=True, input_shape=(2, 4, 4, 1)), BatchNormalization(), Conv3D(1, 2, padding="same", activation="sigmoid")]))
print(np.round(cl.predict(np.ones((1, 2, 4, 4, 1)), verbose=0).mean(), 4))
lstm = LSTM(3, return_sequences=True, return_state=True); o, h, cc = lstm(tf.ones((2, 4, 3))); print(o.shape, h.shape, np.allclose(o[:, -1], h, atol=1e-6))
print(lstm.cell.units, LSTM(3, recurrent_dropout=0.1, unroll=True)(tf.ones((1, 2, 2))).shape, GRU(2, reset_after=False)(tf.ones((1, 2, 2))).shape)
causal = fix(Sequential([Conv1D(3, 2, padding="causal", dilation_rate=2, activation="relu", input_shape=(None, 1)), GlobalMaxPooling1D()]))
print(np.round(causal.predict(np.arange(5.0).reshape(1, 5, 1), verbose=0), 4).tolist())
mha = MultiHeadAttention(num_heads=2, key_dim=3); q = tf.ones((2, 4, 6)); o, w = mha(q, q, return_attention_scores=True, attention_mask=np.tril(np.ones((1, 4, 4)))); print(o.shape, w.shape, np.asarray(w)[0, 0, 0].round(3).tolist())
