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
    "phase": "The phase belongs to a call: model(x, training=True).",
    "resized": (
        "Pictures of sizes that change cannot be compiled: use tf.keras.layers.RandomZoom with "
        "height_factor and width_factor."
    ),
    "reads_ahead": "fit reads ahead by itself: give it the Sequence or the generator.",
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
    **{
        f"compat.v1.{name}": "session"
        for name in (
            "ConfigProto GPUOptions Graph InteractiveSession Session disable_eager_execution "
            "disable_v2_behavior get_default_graph get_variable global_variables "
            "global_variables_initializer placeholder reset_default_graph variable_scope"
        ).split()
    },
    "distribute.TPUStrategy": "It is not here yet: tf.distribute.OneDeviceStrategy uses the first "
    "device there is.",
    "keras.estimator": "estimator",
    "keras.backend.gradients": "Gradients are those of a tape: with tf.GradientTape() as tape.",
    "keras.backend.learning_phase_scope": "phase",
    "keras.backend.set_learning_phase": "phase",
    "keras.backend.placeholder": "session",
    "keras.backend.manual_variable_initialization": "session",
    "keras.backend.rnn": "Use tf.keras.layers.RNN with a cell.",
    "keras.backend.reset_uids": "tf.keras.backend.clear_session() does it.",
    "keras.backend.conv2d_transpose": "Use tf.nn.conv2d_transpose.",
    "keras.callbacks.SidecarEvaluatorModelExport": "servers",
    "keras.experimental.LinearModel": "Add up a tf.keras.layers.Dense for each input.",
    "keras.experimental.WideDeepModel": "Build both parts as layers, and add their outputs.",
    "keras.experimental.SequenceFeatures": "feature_column",
    "keras.experimental.SidecarEvaluator": "servers",
    "keras.layers.DenseFeatures": "feature_column",
    "keras.layers.RandomHeight": "resized",
    "keras.layers.RandomWidth": "resized",
    "keras.layers.experimental.preprocessing.RandomHeight": "resized",
    "keras.layers.experimental.preprocessing.RandomWidth": "resized",
    "keras.layers.experimental.preprocessing.PreprocessingLayer": "Make a class of "
    "tf.keras.layers.Layer with an adapt() of its own.",
    "keras.layers.experimental.RandomFourierFeatures": "Multiply by a fixed random matrix in a "
    "layer of your own, and take cosines.",
    "keras.metrics.MeanTensor": "Keep a weight of the tensor's shape in a tf.keras.metrics.Metric.",
    "keras.metrics.experimental.PyMetric": "Compute it in a callback's on_epoch_end, with values.",
    "keras.models.experimental.SharpnessAwareMinimization": "Write both gradients in train_step.",
    "keras.utils.GeneratorEnqueuer": "reads_ahead",
    "keras.utils.OrderedEnqueuer": "reads_ahead",
    "keras.utils.SequenceEnqueuer": "reads_ahead",
    "keras.utils.SidecarEvaluator": "servers",
    "keras.utils.StepsPerExecutionTuner": "fit finds the number of steps of a program by itself.",
    "keras.utils.TimedThread": "Use threading.Timer of Python's.",
    "keras.utils.experimental": "servers",
    "keras.dtensor": "Layouts over devices are not here yet.",
}

# Packages around TensorFlow that are refused, and what to use.
PACKAGES: dict[str, str] = {
    "tensorflow_addons": (
        "Most of it is in nacre: tf.keras.optimizers has AdamW, Lamb and Lion, tf.keras.losses "
        "TripletLoss and Circle, tf.keras.layers GroupNormalization and SpectralNormalization."
    ),
    "tensorflow_probability": (
        "For distributions use scipy.stats, or numpyro on JAX; tf.random and tf.keras.losses "
        "have what networks use."
    ),
    "tensorflow_text": (
        "Use tf.keras.layers.TextVectorization, or a tokenizer of the package tokenizers."
    ),
    "tensorflow_io": "Read files with tf.io, or with a package for their format.",
    "tensorflow_model_optimization": (
        "Use model.quantize('int8'), or nacre.quantizers; pruning is not here."
    ),
    "tensorflow_decision_forests": "Use scikit-learn or xgboost for trees.",
    "tensorflow_federated": "Training over several owners of data is not here.",
    "tensorflow_recommenders": "Build the two towers with tf.keras.layers.Embedding and Dot.",
    "tensorflow_ranking": "Write the loss as a function of y_true and y_pred.",
    "tensorflow_gan": "Write the step with two tf.GradientTape in a tf.function.",
    "tensorflow_quantum": "Circuits are not here.",
    "tensorflow_transform": "Use tf.keras.layers of preprocessing, with adapt.",
    "tensorflow_model_analysis": "Use tf.keras.metrics, by slices of the data.",
    "tensorflow_estimator": "Estimators are not here: build a tf.keras.Model, and call its fit.",
}
