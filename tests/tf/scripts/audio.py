"""Sounds as WAV files, spectrograms, mel features, and a small net for two kinds of tone."""

import os

import numpy as np
import tensorflow as tf

rate = 4000
time = np.arange(rate // 4) / rate
tones = [np.sin(2 * np.pi * f * time) * 0.5 for f in (440, 460, 900, 930)]
os.makedirs("sounds/low")
os.makedirs("sounds/high")
for number, tone in enumerate(tones):
    wav = tf.audio.encode_wav(tf.constant(tone[:, None], tf.float32), sample_rate=rate)
    tf.io.write_file(f"sounds/{'low' if number < 2 else 'high'}/{number}.wav", wav)


def decode(path):
    audio, found = tf.audio.decode_wav(tf.io.read_file(path), desired_channels=1)
    return tf.squeeze(audio, axis=-1), found


audio, found = decode("sounds/low/0.wav")
print(audio.shape, int(found), f"{tf.reduce_max(audio).numpy():.3f}", audio.dtype.name)


def spectrogram(waveform):
    padding = tf.zeros([1024] - tf.shape(waveform), dtype=tf.float32)
    waveform = tf.concat([tf.cast(waveform, tf.float32), padding], 0)
    return tf.abs(tf.signal.stft(waveform, frame_length=128, frame_step=64))


spectrum = spectrogram(audio)
print(spectrum.shape, int(tf.argmax(spectrum[3])), f"{tf.reduce_sum(spectrum).numpy():.1f}")
mel = tf.signal.linear_to_mel_weight_matrix(8, spectrum.shape[-1], rate, 80.0, 1800.0)
log_mel = tf.math.log(tf.matmul(spectrum, mel) + 1e-6)
mfcc = tf.signal.mfccs_from_log_mel_spectrograms(log_mel)[..., :4]
print(mel.shape, log_mel.shape, np.round(mfcc[2].numpy(), 2).tolist())
back = tf.signal.inverse_stft(
    tf.signal.stft(audio, 128, 64), 128, 64, window_fn=tf.signal.inverse_stft_window_fn(64)
)
print(back.shape, np.allclose(back[128:-128], audio[128 : back.shape[0] - 128], atol=1e-4))
frames = tf.signal.frame(tf.range(7), frame_length=3, frame_step=2, pad_end=True)
print(frames.numpy().tolist(), np.round(tf.signal.hann_window(5).numpy(), 4).tolist())
transformed = tf.signal.fft(tf.cast([1.0, 2.0, 3.0, 4.0], tf.complex64))
print(np.round(tf.math.real(transformed).numpy(), 3).tolist(), np.round(tf.signal.rfft([1.0, 0.0, 1.0]).numpy(), 3).tolist())
print(np.round(tf.signal.dct([1.0, 2.0, 3.0], type=2, norm="ortho").numpy(), 4).tolist(), f"{tf.math.angle(transformed)[1].numpy():.4f}")
print(np.round(tf.signal.overlap_and_add(tf.ones((3, 4)), 2).numpy(), 1).tolist(), tf.signal.hamming_window(4).shape)

names = sorted(os.listdir("sounds"))
files = tf.io.gfile.glob("sounds/*/*.wav")
print(names, len(files))
data = tf.data.Dataset.from_tensor_slices(sorted(files))


def prepared(path):
    parts = tf.strings.split(path, os.path.sep)
    label = tf.argmax(parts[-2] == names)
    waveform, _ = decode(path)
    return tf.expand_dims(spectrogram(waveform), -1), label


data = data.map(prepared, num_parallel_calls=tf.data.AUTOTUNE).batch(2)
for x, y in data.take(1):
    print(x.shape, y.numpy().tolist())
normal = tf.keras.layers.Normalization(axis=None)
normal.adapt(data=data.map(lambda x, y: x))
print(f"{float(np.ravel(normal.mean)[0]):.3f} {float(np.ravel(normal.variance)[0]):.2f}")
model = tf.keras.Sequential(
    [tf.keras.layers.Input((15, 65, 1)), tf.keras.layers.Resizing(8, 16), normal, tf.keras.layers.Flatten(), tf.keras.layers.Dense(2)]
)
model.set_weights([np.random.default_rng(1).normal(0, 0.1, w.shape) if w.ndim == 2 else w for w in model.get_weights()])
model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
print("loss", [f"{v:.3f}" for v in model.fit(data, epochs=3, verbose=0).history["loss"]])
