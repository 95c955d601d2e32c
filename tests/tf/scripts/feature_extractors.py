# activations of inner layers by K.function, feature extractors, layer surgery
import numpy as np
import tensorflow as tf
from tensorflow.keras import backend as K
from tensorflow.keras.models import Model, Sequential, clone_model
from tensorflow.keras.layers import Input, Dense, Conv2D, MaxPooling2D, GlobalAveragePooling2D, Lambda, Concatenate, Flatten

rng = np.random.RandomState(1)
def fixed(m):
    m.set_weights([rng.normal(0, 0.3, w.shape) for w in m.get_weights()])

inp = Input(shape=(8, 8, 3), name="pixels")
a = Conv2D(4, 3, padding="same", activation="relu", name="c1")(inp)
a = MaxPooling2D()(a)
a = Conv2D(6, (3, 3), activation="elu", name="c2")(a)
g = GlobalAveragePooling2D(name="gap")(a)
out = Dense(2, activation="softmax", name="out")(g)
model = Model(inputs=inp, outputs=out)
fixed(model)
x = rng.rand(3, 8, 8, 3).astype("float32")
get = K.function([model.layers[0].input], [model.get_layer("c2").output, model.layers[-2].output])
act, gap = get([x])
print(act.shape, np.round(gap[0], 4).tolist())
multi = Model(model.input, [l.output for l in model.layers if isinstance(l, Conv2D)])
print([o.shape for o in multi.predict(x, verbose=0)])
extractor = Model(inputs=model.inputs, outputs=model.layers[-2].output)
print(np.round(np.asarray(extractor(x))[1], 4).tolist())
for layer in model.layers[:3]:
    layer.trainable = False
print([(l.name.split("_")[0], l.trainable) for l in model.layers][1:4], len(model.trainable_weights), len(model.non_trainable_weights))
new = Dense(5, name="head")(model.layers[-2].output)
both = Concatenate()([new, model.output])
m2 = Model(model.input, both)
print(m2.output_shape, m2.input_shape, m2.count_params(), len(m2.layers))
print(m2.layers[-1].get_config()["axis"], m2.get_layer(index=1).name)
m2.pop() if hasattr(m2, "pop") and False else None
copy = clone_model(model)
copy.set_weights(model.get_weights())
print(np.allclose(copy.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6))
seq = Sequential([Dense(4, input_dim=3), Dense(2)])
seq.pop()
seq.add(Dense(7))
print(seq.output_shape, [l.units for l in seq.layers])
scale = Lambda(lambda t, k: t * k, arguments={"k": 3.0}, output_shape=(3,))
i2 = Input((3,))
m3 = Model(i2, Lambda(lambda t: K.sum(K.square(t), axis=1, keepdims=True))(scale(i2)))
print(m3.predict(np.ones((2, 3)), verbose=0).tolist())
print(K.int_shape(m3.output), K.ndim(i2), K.is_keras_tensor(i2) if hasattr(K, "is_keras_tensor") else True)
