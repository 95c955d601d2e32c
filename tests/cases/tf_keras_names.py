"""Names of tf.keras 2.15 below utils, preprocessing and backend that nacre does not have, and
signatures that differ, with reasons. Keys ending in `.*` cover all names below."""

_THREADS = "insides of its data threads: fit reads ahead by itself, as PyDataset's arguments say"
_PHASE = "the phase belongs to a call: model(x, training=True)"
_ONE_GENERATOR = "there is one generator of random numbers, set_random_seed seeds it"
_LOCAL = "layers with weights of their own at each place are not here"
_FOCAL = "nacre.losses has it"
_KERAS_3 = "Keras 3 has this signature, and it is kept"

MISSING: dict[str, str] = {
    "keras.utils.GeneratorEnqueuer": _THREADS,
    "keras.utils.OrderedEnqueuer": _THREADS,
    "keras.utils.SequenceEnqueuer": _THREADS,
    "keras.utils.TimedThread": "threading.Timer does it",
    "keras.utils.SidecarEvaluator": "evaluates TensorFlow's checkpoints beside its strategies",
    "keras.utils.StepsPerExecutionTuner": "fit finds the number of steps of a program by itself",
    "keras.utils.experimental": "data sets of TensorFlow's parameter servers",
    "keras.utils.experimental.*": "data sets of TensorFlow's parameter servers",
    "keras.backend.binary_focal_crossentropy": _FOCAL,
    "keras.backend.categorical_focal_crossentropy": _FOCAL,
    "keras.backend.conv2d_transpose": "nacre.ops.conv_transpose, without output_shape",
    "keras.backend.ctc_label_dense_to_sparse": "there are no sparse tensors",
    "keras.backend.experimental": _ONE_GENERATOR,
    "keras.backend.experimental.*": _ONE_GENERATOR,
    "keras.backend.gradients": "of sessions; tf.keras 2 refuses it too outside of them",
    "keras.backend.learning_phase_scope": _PHASE,
    "keras.backend.local_conv1d": _LOCAL,
    "keras.backend.local_conv2d": _LOCAL,
    "keras.backend.manual_variable_initialization": "of sessions",
    "keras.backend.placeholder": "of sessions; nacre.Input begins a model",
    "keras.backend.reset_uids": "clear_session does it",
    "keras.backend.rnn": "nacre.layers.RNN applies a cell to each step",
    "keras.backend.set_learning_phase": _PHASE,
}

SIGNATURES: dict[str, str] = {
    "keras.utils.CustomObjectScope": "takes the same calls",
    "keras.utils.custom_object_scope": "takes the same calls",
    "keras.utils.Progbar": _KERAS_3,
    "keras.utils.get_source_inputs": "the further arguments are for its own calls",
    "keras.utils.image_dataset_from_directory": "takes what its **kwargs take, by name",
    "keras.preprocessing.image_dataset_from_directory": "takes what its **kwargs take, by name",
    "keras.utils.load_img": "grayscale=True was replaced by color_mode='grayscale' in Keras 2.2",
    "keras.preprocessing.image.load_img": "as utils.load_img",
    "keras.utils.model_to_dot": f"{_KERAS_3}; layer_range by name",
    "keras.utils.plot_model": f"{_KERAS_3}; layer_range by name",
    "keras.utils.to_categorical": "Keras 3 calls its first argument x",
}
