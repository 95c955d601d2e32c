"""Call in real TensorFlow the SavedModels that nacre wrote, and open them with real tf.keras 2.15.

`python -m tests.reference.check_saved_models write FOLDER` with nacre, then the same with `read`
where TensorFlow is installed, 2.15 or newer; `make interop` does both. What was seen stands in
`saved_models.json` beside this file, by version. Compared are: calls with `training` False and True
for two sizes of batch and length, the statistics that BatchNormalization then has, gradients,
signatures, sessions of TensorFlow 1, the loader in C++, `saved_model_cli`, what TensorFlow saves
again; the endpoints and collections of
an ExportArchive; each op of the graph with what the evaluator gives; with tf.keras 2.15
predictions, a step of training, and another save. Of `.h5` files for tf.keras 2.15, what it
predicts, and the losses with which it and nacre go on training.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.cases.saved_models import CASES, FILES, SavedCase
from tests.reference import loaders

RESULTS = Path(__file__).with_name("saved_models.json")


def write(folder: Path) -> None:
    """The models, with what nacre gives; the ops, with what the evaluator gives."""
    import jax

    import nacre
    from nacre.core import tree
    from nacre.export.graph.evaluate import evaluate
    from nacre.export.passes.opening import opened
    from nacre.export.targets.graphdef.lower import lower
    from nacre.export.targets.saved_model.gaps import SUPPORT
    from nacre.testing.graph_ops import CASES as OPS

    for name, case in CASES.items():
        nacre.utils.set_random_seed(1)
        model = case.build(nacre)
        x, longer = case.arrays(case.shapes), case.arrays(case.longer)
        model.save(folder / name)
        flat = lambda results: [np.asarray(r) for r in tree.flatten(results)]
        found = {"x": x, "longer": longer, "y": flat(model(x)), "y_longer": flat(model(longer))}
        trainable = [v.value for v in model.trainable_variables]
        others = [v.value for v in model.non_trainable_variables]

        def loss(trainable: Any, model: Any = model, others: Any = others, x: Any = x) -> Any:
            results, new = model.stateless_call(trainable, others, x, training=True)
            parts = [nacre.ops.sum(nacre.ops.square(r)) for r in tree.flatten(results)]
            return sum(parts), (results, new)

        if not case.is_random:
            gradients, (results, new) = jax.grad(loss, has_aux=True)(trainable)
            names = [v.path for v in model.non_trainable_variables]
            found["trained"] = flat(results)
            found["gradients"] = [np.asarray(g) for g in gradients]
            found["state"] = dict(zip(names, map(np.asarray, new), strict=True))
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(found))
    write_archive(folder / "archive")
    for name, case in FILES.items():
        nacre.utils.set_random_seed(1)
        model, x = case.build(nacre), case.arrays(case.shapes)
        y = tree.map_structure(lambda r: np.full(np.shape(r), 0.5, "float32"), model(x))
        losses = tree.map_structure(lambda _: "mse", y)
        model.compile(case.optimizer, losses)
        model.fit(x, y, epochs=2, shuffle=False, verbose=0)
        model.save(folder / f"{name}.h5", compat="keras-2.15")
        found = {"x": x, "y": y, "predicted": flat(model.predict(x, verbose=0))}
        found["losses"] = model.fit(x, y, epochs=2, shuffle=False, verbose=0).history["loss"]
        (folder / f"{name}.h5.pkl").write_bytes(pickle.dumps(found))
    ops = []
    for op in OPS:
        library: list[Any] = []
        graph = op.graph()
        lower(opened(graph, SUPPORT.has), "f", library)
        arrays = op.arrays()
        results = list(evaluate(graph, arrays).outputs.values())
        ops.append((op.name, [f.write() for f in library], arrays, results))
    (folder / "ops.pkl").write_bytes(pickle.dumps(ops))


def write_archive(folder: Path) -> None:
    """Endpoints of each kind, with what nacre gives."""
    import nacre

    nacre.utils.set_random_seed(1)
    layers = [nacre.layers.Dense(2), nacre.layers.BatchNormalization()]
    model = nacre.Sequential([nacre.Input((3,), name="features"), *layers])
    model.compile("adam", "mse")
    x = np.random.default_rng(1).random((5, 3)).astype("float32")
    model.fit(x, np.ones((5, 2)), verbose=0)
    spec = nacre.InputSpec(shape=(None, 3), dtype="float32")
    archive = nacre.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", model.call, [spec])
    archive.add_endpoint("training", lambda x: model.call(x, training=True), [spec])
    both = lambda parts, y: {"sum": parts["a"] + y, "rest": (parts["b"], model(y))}
    archive.add_endpoint("both", both, [{"a": spec, "b": spec}, spec])
    archive.add_variable_collection("optimizer_variables", model.optimizer.variables)
    archive.write_out(folder)
    found = {
        "x": x,
        "serve": np.asarray(model(x)),
        "training": np.asarray(model(x, training=True)),
        "optimizer": [np.asarray(v) for v in model.optimizer.variables],
    }
    Path(f"{folder}.pkl").write_bytes(pickle.dumps(found))


def same(got: Any, wanted: list[np.ndarray], tolerance: float) -> None:
    """Raise unless structures hold the same numbers."""
    import tensorflow as tf

    arrays = tf.nest.flatten(got)
    assert len(arrays) == len(wanted)
    for a, b in zip(arrays, wanted, strict=True):
        assert tuple(a.shape) == b.shape, (a.shape, b.shape)
        a, b = (np.asarray(v).astype("float64") for v in (a, b))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def read_model(folder: Path, name: str, case: SavedCase) -> list[str]:
    """What agrees."""
    import tensorflow as tf

    path, near = str(folder / name), case.tolerance
    found = pickle.loads((folder / f"{name}.pkl").read_bytes())
    x, longer = (tf.nest.map_structure(tf.constant, found[k]) for k in ("x", "longer"))
    model = tf.saved_model.load(path)
    same(model(x), found["y"], near)
    same(model(longer, training=False), found["y_longer"], near)
    seen = ["calls"]
    signature = model.signatures["serving_default"]
    names = list(signature.structured_input_signature[1])
    served = signature(**(x if isinstance(x, dict) else {names[0]: x}))
    same([served[key] for key in sorted(served)], found["y"], near)
    seen.append("signature")
    with tf.GradientTape() as tape:
        results = model(x, training=True)
        parts = [tf.reduce_sum(tf.square(r)) for r in tf.nest.flatten(results)]
        loss = tf.add_n(parts)
    gradients = tape.gradient(loss, list(model.trainable_variables))
    assert all(g is not None for g in gradients)
    if case.is_random:
        draws = [np.asarray(tf.nest.flatten(model(x, training=True))[0]) for _ in range(2)]
        assert (draws[0] != draws[1]).any()
        seen.append("draws")
    else:
        same(results, found["trained"], near)
        dense = [tf.convert_to_tensor(g) for g in gradients]
        same(dense, found["gradients"], max(near, 1e-4))
        state = {v.name.removesuffix(":0"): v.numpy() for v in model.variables}
        for key, value in found["state"].items():
            if key in state:
                np.testing.assert_allclose(state[key], value, rtol=near, atol=near)
        seen += ["training", "gradients", "statistics"]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], path)
        signature_def = meta.signature_def["serving_default"]
        given = found["x"] if isinstance(found["x"], dict) else {names[0]: found["x"]}
        feeds = {info.name: given[key] for key, info in signature_def.inputs.items()}
        outputs = signature_def.outputs
        got = session.run([outputs[key].name for key in sorted(outputs)], feeds)
        same(got, found["y"], near)
    seen.append("session")
    if all(array.dtype.kind not in "OSU" for array in given.values()):
        loaded = loaders.by_c_api(path, signature_def, given)
        same([loaded[key] for key in sorted(loaded)], found["y"], near)
        seen.append("C++ loader")
    if name == next(iter(CASES)):  # its start takes long
        told = loaders.by_tool(path, given, folder / f"{name}_tool")
        same([told[key] for key in sorted(told)], found["y"], near)
        seen.append("saved_model_cli")
    tf.saved_model.save(model, path + "_again")
    seen.append("saved again")
    if tf.__version__.startswith("2.15"):
        seen += read_keras(path, case, found)
    return seen


def read_keras(path: str, case: SavedCase, found: dict[str, Any]) -> list[str]:
    """What tf.keras 2.15 makes of it."""
    import tensorflow as tf

    model = tf.keras.models.load_model(path)
    assert type(model).__name__ == case.in_keras, type(model).__name__
    same(model.predict(found["x"], verbose=0), found["y"], case.tolerance)
    same(model(found["longer"], training=False), found["y_longer"], case.tolerance)
    model.compile("sgd", tf.nest.map_structure(lambda _: "mse", model(found["x"])))
    zeros = tf.nest.map_structure(lambda y: np.zeros(y.shape), model(found["x"]))
    model.fit(found["x"], zeros, verbose=0)
    model.save(path + "_keras")
    return [f"tf.keras {case.in_keras}", "fit", "saved by tf.keras"]


def read_archive(folder: Path) -> list[str]:
    """What agrees of an ExportArchive."""
    import tensorflow as tf

    path, near = str(folder / "archive"), 1e-5
    found = pickle.loads(Path(f"{path}.pkl").read_bytes())
    x = tf.constant(found["x"])
    archive = tf.saved_model.load(path)
    for size in (1, 5):
        same(archive.serve(x[:size]), [found["serve"][:size]], near)
        same(archive.serve(inputs=x[:size]), [found["serve"][:size]], near)
    given = {"a": x, "b": 2 * x}
    mixed = archive.both(given, x)
    same(mixed["rest"], [2 * found["x"], found["serve"]], near)
    same(mixed["sum"], [2 * found["x"]], near)
    for key in ("serve", "serving_default"):
        same(archive.signatures[key](inputs=x)["output_0"], [found["serve"]], near)
    before = [v.numpy() for v in archive.non_trainable_variables]
    same(archive.training(x), [found["training"]], 1e-4)
    after = [v.numpy() for v in archive.non_trainable_variables]
    assert all((a != b).any() for a, b in zip(before, after, strict=True))
    same(list(archive.optimizer_variables), found["optimizer"], near)
    assert len(archive.variables) == 6 and len(archive.trainable_variables) == 4
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(archive.serve(x) ** 2)
    assert all(g is not None for g in tape.gradient(loss, list(archive.trainable_variables)))
    tf.saved_model.save(archive, path + "_again")
    seen = ["endpoints", "signatures", "training", "collections", "gradients", "saved again"]
    if hasattr(tf.keras.layers, "TFSMLayer"):  # Keras 3
        same(tf.keras.layers.TFSMLayer(path, call_endpoint="serve")(x), [found["serve"]], near)
        seen.append("TFSMLayer")
    return seen


def read_files(folder: Path) -> list[str]:
    """The `.h5` files that agree in tf.keras 2.15."""
    import tensorflow as tf

    seen: list[str] = []
    for name, case in FILES.items():
        found = pickle.loads((folder / f"{name}.h5.pkl").read_bytes())
        model = tf.keras.models.load_model(folder / f"{name}.h5")
        same(model.predict(found["x"], verbose=0), found["predicted"], case.tolerance)
        losses = model.fit(found["x"], found["y"], epochs=2, shuffle=False, verbose=0)
        # tf.keras keeps no product of the factors of Nadam in such a file.
        count = 0 if case.is_random else 1 if case.optimizer == "nadam" else 2
        near = max(case.tolerance, 1e-4)
        got, wanted = losses.history["loss"][:count], found["losses"][:count]
        np.testing.assert_allclose(got, wanted, rtol=near, err_msg=name)
        seen.append(f"{name}, {case.optimizer}")
    return seen


def read_ops(folder: Path) -> int:
    """How many ops give what the evaluator gives."""
    import tensorflow as tf
    from tensorflow.core.framework import function_pb2, graph_pb2

    ops = pickle.loads((folder / "ops.pkl").read_bytes())
    for name, library, arrays, wanted in ops:
        functions = [function_pb2.FunctionDef.FromString(data) for data in library]
        signature = functions[-1].signature
        graph = graph_pb2.GraphDef()
        graph.versions.producer = 1645
        graph.library.function.extend(functions)
        call = graph.node.add(name="call", op="StatefulPartitionedCall")
        call.attr["f"].func.name = signature.name
        call.attr["Tin"].list.SetInParent()
        for index, argument in enumerate(signature.input_arg):
            feed = graph.node.add(name=f"x{index}", op="Placeholder")
            feed.attr["dtype"].type = argument.type
            call.input.append(feed.name)
            call.attr["Tin"].list.type.append(argument.type)
        call.attr["Tout"].list.type.extend(a.type for a in signature.output_arg)
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.import_graph_def(graph, name="")
            feeds = {f"x{index}:0": array for index, array in enumerate(arrays)}
            got = session.run([f"call:{i}" for i in range(len(wanted))], feeds)
        for a, b in zip(got, wanted, strict=True):
            assert a.shape == b.shape, name
            kind = "complex128" if a.dtype.kind == "c" else "float64"
            a, b = np.asarray(a).astype(kind), np.asarray(b).astype(kind)
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5, err_msg=name)
    return len(ops)


def read(folder: Path, names: list[str]) -> None:
    """Compare all, or what is named, and note what agrees after each."""
    import tensorflow as tf

    readers: dict[str, Any] = {"archive": read_archive, "ops": read_ops}
    if tf.__version__.startswith("2.15"):
        readers["h5 files"] = read_files
    for name in names or [*CASES, *readers]:
        is_model = name in CASES
        seen: Any = read_model(folder, name, CASES[name]) if is_model else readers[name](folder)
        print(name, seen, flush=True)
        known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        known.setdefault(f"TensorFlow {tf.__version__}", {})[name] = seen
        RESULTS.write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        read(Path(sys.argv[2]), sys.argv[3:])
