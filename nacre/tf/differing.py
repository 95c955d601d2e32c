"""What behaves otherwise than in TensorFlow, by the name that brings it."""

DIFFERS: dict[str, str] = {
    "function": "an if or a loop by values of tensors that sets tensors of other shapes, changes a "
    "list of its own or raises makes it run as plain Python, with a warning; each size that a "
    "signature leaves open is traced; a function with a loop over a data set runs as plain Python "
    "around it, and each turn is compiled; what takes an iterator runs as plain Python.",
    "constant": "in what fit compiles operators of tensors of two dtypes, int32 + float32, give "
    "the wider one, where TensorFlow refuses them; int32 + int64 do so everywhere. A float of "
    "NumPy's that stands before a tensor of whole numbers makes floats, which TensorFlow cuts.",
    "Variable": "assign gives the value, not the variable.",
    "random": "numbers are not TensorFlow's; seeds make them repeat.",
    "numpy_function": "within a compiled function it makes that run as plain Python.",
    "py_function": "within a compiled function it makes that run as plain Python.",
    "debugging": "a check that fails in a compiled function is raised when that has run.",
    "device": "everything runs on the first device.",
    "tfds": "nothing is downloaded: prepared folders, mnist, fashion_mnist and cifar10 are here.",
    "hub": "nothing is downloaded: a module must be in a folder, or in TFHUB_CACHE_DIR.",
    "distribute": "one device is used.",
    "int64": "data that fit brings to the device have 32 bits; one that does not fit is refused.",
    "config.experimental.set_memory_growth": "it changes nothing: JAX takes memory by itself.",
    "compat.v1.disable_eager_execution": "it changes nothing: models train as they do else; "
    "graphs and what is run in sessions are not here.",
    "compat.v1.disable_v2_behavior": "it changes nothing: models train as they do else; "
    "graphs and what is run in sessions are not here.",
    "summary.trace_export": "a profile is written, JAX's, but no graph.",
    "compat.v1": "only what scripts for TensorFlow 2 use of it is here.",
}
