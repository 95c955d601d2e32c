"""Names that are not here: a word for why, and what to write instead."""

REASONS: dict[str, str] = {
    "session": (
        "Graphs and sessions of TensorFlow 1 are not here: call functions with values, and "
        "decorate them with @tf.function."
    ),
    "estimator": "Estimators are not here: build a tf.keras.Model, and call its fit.",
    "feature_column": (
        "Feature columns are not here: use tf.keras.utils.FeatureSpace, or layers such as "
        "tf.keras.layers.CategoryEncoding, Normalization and StringLookup."
    ),
    "servers": (
        "Parameter servers are not here: train on one machine, tf.distribute.MirroredStrategy."
    ),
    "later": "It is not here yet.",
}

ABSENT: dict[str, str] = {
    "estimator": "estimator",
    "feature_column": "feature_column",
    "Session": "session",
    "placeholder": "session",
    "get_default_graph": "session",
    "get_default_session": "session",
    "global_variables_initializer": "session",
    "global_variables": "session",
    "InteractiveSession": "session",
    "Graph": "session",
    "reset_default_graph": "session",
    "variable_scope": "session",
    "get_variable": "session",
    "ConfigProto": "session",
    "GPUOptions": "session",
    "gradients": "Gradients are those of a tape: with tf.GradientTape() as tape: ...; "
    "tape.gradient(y, x).",
    "hessians": "Take the jacobian of a gradient, with two tapes.",
    "contrib": "TensorFlow 2 has no contrib any more; look for the name in tf.keras.",
    "flags": "Use argparse of Python's.",
    "logging": "Use logging of Python's, or tf.get_logger().",
    "distribute.ParameterServerStrategy": "servers",
    "distribute.experimental.ParameterServerStrategy": "servers",
    "keras.estimator": "estimator",
    "keras.dtensor": "Layouts over devices are not here yet.",
    "lite": "Export to TFLite is not here yet.",
}
