"""Modules of TensorFlow that are modules of nacre's, and names that stand for one object."""

# Below `tensorflow` -> the module it is a face of, submodules included.
MODULES: dict[str, str] = {
    "keras": "nacre",
    "keras.layers.experimental": "nacre.layers",
    "keras.layers.experimental.preprocessing": "nacre.layers",
    "keras.optimizers.legacy": "nacre.optimizers",
    "keras.optimizers.experimental": "nacre.optimizers",
    "keras.callbacks.experimental": "nacre.callbacks",
    "keras.experimental": "nacre.tf.keras_experimental",
    "data": "nacre.data",
    "errors": "nacre.tf.failures",
    "hub": "nacre.tf.hub",
    "tfds": "nacre.tf.tfds",
    "distribute": "nacre.tf.strategies",
    "lite": "nacre.tf.lite",
    "initializers": "nacre.initializers",
    "losses": "nacre.losses",
    "metrics": "nacre.metrics",
    "optimizers": "nacre.optimizers",
    "summary": "nacre.summary",
}

# A name -> its value, or "=module:object".
CONSTANTS: dict[str, object] = {
    "__version__": "2.15.1",
    "version.VERSION": "2.15.1",
    "version.GIT_VERSION": "nacre",
    "version.COMPILER_VERSION": "XLA",
    "keras.__version__": "2.15.0",
    "hub.__version__": "0.15.0",
    "tfds.__version__": "4.9.4",
    "compat.v1.__version__": "2.15.1",
    "newaxis": None,
}
# The dtypes, by their names and second names.
DTYPES = (
    "bfloat16 bool complex64 complex128 double float16 float32 float64 half int8 int16 int32 int64 "
    "string uint8 uint16 uint32 uint64"
).split()
CONSTANTS |= {name: f"=nacre.tf.dtypes:{name}" for name in DTYPES}
CONSTANTS |= {f"dtypes.{name}": f"=nacre.tf.dtypes:{name}" for name in DTYPES}
CONSTANTS["dtypes.DType"] = "=nacre.tf.dtypes:DType"
CONSTANTS["dtypes.as_dtype"] = "=nacre.tf.dtypes:as_dtype"
