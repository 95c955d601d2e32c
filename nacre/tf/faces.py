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
    "experimental.numpy": "nacre.tf.numpy_names",
    "experimental.numpy.random": "nacre.tf.numpy_random",
    "errors": "nacre.tf.failures",
    "hub": "nacre.tf.hub",
    "tfds": "nacre.tf.tfds_loading",
    "tfds.features": "nacre.tf.tfds_features",
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
    "keras.version": "=nacre.tf.generation:keras_version",
    "hub.__version__": "0.15.0",
    "tfds.__version__": "4.9.4",
    "tfds.core.ReadInstruction": "=nacre.tf.tfds_splits:ReadInstruction",
    "tfds.core.DatasetInfo": "=nacre.tf.tfds_loading:DatasetInfo",
    "tfds.decode.SkipDecoding": "=nacre.tf.tfds_loading:SkipDecoding",
    "compat.v1.__version__": "2.15.1",
    "newaxis": None,
    "version.GRAPH_DEF_VERSION": 1645,
    "version.GRAPH_DEF_VERSION_MIN_CONSUMER": 0,
    "version.GRAPH_DEF_VERSION_MIN_PRODUCER": 0,
    "compat.bytes_or_text_types": (bytes, str),
}
# Names within folders and files of SavedModels (tensorflow/python/saved_model/constants.py).
CONSTANTS |= {
    f"saved_model.{name}": value
    for name, value in {
        "ASSETS_DIRECTORY": "assets", "ASSETS_KEY": "saved_model_assets",
        "CLASSIFY_INPUTS": "inputs", "CLASSIFY_METHOD_NAME": "tensorflow/serving/classify",
        "CLASSIFY_OUTPUT_CLASSES": "classes", "CLASSIFY_OUTPUT_SCORES": "scores",
        "DEBUG_DIRECTORY": "debug", "DEBUG_INFO_FILENAME_PB": "saved_model_debug_info.pb",
        "DEFAULT_SERVING_SIGNATURE_DEF_KEY": "serving_default", "GPU": "gpu",
        "PREDICT_INPUTS": "inputs", "PREDICT_METHOD_NAME": "tensorflow/serving/predict",
        "PREDICT_OUTPUTS": "outputs", "REGRESS_INPUTS": "inputs",
        "REGRESS_METHOD_NAME": "tensorflow/serving/regress", "REGRESS_OUTPUTS": "outputs",
        "SAVED_MODEL_FILENAME_PB": "saved_model.pb",
        "SAVED_MODEL_FILENAME_PBTXT": "saved_model.pbtxt", "SAVED_MODEL_SCHEMA_VERSION": 1,
        "SERVING": "serve", "TPU": "tpu", "TRAINING": "train",
        "VARIABLES_DIRECTORY": "variables", "VARIABLES_FILENAME": "variables",
    }.items()
}  # fmt: skip
CONSTANTS |= {
    f"compat.v1.logging.{name}": value
    for name, value in {"DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}.items()
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
