"""Files of ONNX come back as models."""

from pathlib import Path

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import FileFormatError, NacreError, UnsupportedOpError
from nacre.core.wire import onnx as wire
from nacre.export.importers.onnx.program import ONNXProgram, open_model, open_onnx
from nacre.export.importers.onnx.registry import OPS
from nacre.models import load_model

FILES = Path(__file__).parents[2] / "reference" / "files" / "onnx"
TORCH = ("convolutional", "recurrent", "attention", "shapes")


def node(op: str, inputs: str, outputs: str, domain: str = "", **attributes) -> wire.NodeProto:
    kinds = {
        int: (wire.INT, "i"), float: (wire.FLOAT, "f"), list: (wire.INTS, "ints"),
        str: (wire.STRING, "s"), bytes: (wire.STRING, "s"),
    }  # fmt: skip
    made = []
    for name, value in attributes.items():
        kind, field = kinds[type(value)]
        made.append(wire.AttributeProto(name=name, type=kind, **{field: value}))
    return wire.NodeProto(
        op_type=op, input=inputs.split(), output=outputs.split(), domain=domain, attribute=made
    )


def tensor(name: str, array: np.ndarray) -> wire.TensorProto:
    return wire.TensorProto(
        name=name, dims=list(array.shape), data_type=wire.NUMBERS[array.dtype.name],
        raw_data=array.tobytes(),
    )  # fmt: skip


def value(name: str, *sizes, dtype: str = "float32") -> wire.ValueInfoProto:
    dims = [
        wire.Dimension(dim_value=n) if isinstance(n, int) else wire.Dimension(dim_param=n or "")
        for n in sizes
    ]
    shape = wire.TensorShapeProto(dim=dims)
    told = wire.TensorType(elem_type=wire.NUMBERS[dtype], shape=shape)
    return wire.ValueInfoProto(name=name, type=wire.TypeProto(tensor_type=told))


def model(nodes, inputs, outputs, tensors=(), opset=18, **more) -> bytes:
    graph = wire.GraphProto(
        name="g", node=list(nodes), input=list(inputs), output=list(outputs),
        initializer=list(tensors),
    )  # fmt: skip
    imports = [wire.OperatorSetIdProto(domain="", version=opset)]
    return wire.ModelProto(ir_version=8, graph=graph, opset_import=imports, **more).write()


KERNEL = np.arange(6, dtype="float32").reshape(3, 2) / 4
X = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 1.0]], "float32")


def _of_dims(*dims: int) -> wire.TensorProto:
    held = tensor("layer/kernel", KERNEL)
    held.dims = list(dims)
    return held


def affine(**changes) -> bytes:
    tensors = changes.pop("tensors", [tensor("layer/kernel", KERNEL)])
    return model(
        [node("MatMul", "x layer/kernel", "y")], [value("x", "batch", 3)],
        [value("y", "batch", 2)], tensors, **changes,
    )  # fmt: skip


def test_almost_all_operators_of_set_18_are_computed():
    onnx = pytest.importorskip("onnx")
    names = {
        schema.name
        for schema in onnx.defs.get_all_schemas_with_history()
        if schema.domain == "" and schema.since_version <= 18
    }
    known = {name for name in names if ("", name) in OPS}
    assert len(known) >= 0.85 * len(names), sorted(names - known)


def _torch(name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    with np.load(FILES / "torch.npz") as arrays:
        inputs, outputs = (
            [arrays[f"{name}/{kind}_{i}"] for i in range(2) if f"{name}/{kind}_{i}" in arrays]
            for kind in ("input", "output")
        )
        return inputs, outputs


def _list(found):
    return list(found) if isinstance(found, list | tuple) else [found]


@pytest.mark.parametrize("opset", [14, 18])
@pytest.mark.parametrize("name", TORCH)
def test_files_of_torch_give_its_numbers_for_any_batch(name, opset):
    loaded = load_model(FILES / f"{name}_{opset}.onnx")
    inputs, outputs = _torch(name)
    more = [np.concatenate([x, x[:1]]) for x in inputs]
    found = _list(loaded.predict(more if len(more) > 1 else more[0], verbose=0))
    for got, wanted in zip(found, outputs, strict=True):
        np.testing.assert_allclose(got[:2], wanted, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(got[2], wanted[0], rtol=1e-5, atol=1e-6)


def test_a_loaded_network_learns_and_its_statistics_stay(tmp_path):
    made = nacre.Sequential([
        nacre.Input((6, 6, 1)), layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(), layers.GlobalAveragePooling2D(), layers.Dense(1),
    ])  # fmt: skip
    made.export(tmp_path / "m.onnx", format="onnx", verbose=False)
    loaded = load_model(tmp_path / "m.onnx")
    x = np.random.default_rng(0).normal(size=(8, 6, 6, 1)).astype("float32")
    y = x.mean((1, 2))
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), made.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )
    assert loaded.count_params() == made.count_params()
    kept = [w.numpy() for w in loaded.non_trainable_weights]
    loaded.compile(nacre.optimizers.Adam(0.02), "mse")
    losses = loaded.fit(x, y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2
    for before, weight in zip(kept, loaded.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(before, weight.numpy())
    loaded.save(tmp_path / "again.keras")
    again = load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), loaded.predict(x, verbose=0))


def test_weights_have_the_names_of_the_file():
    loaded = load_model(affine())
    assert [w.name for w in loaded.trainable_weights] == ["layer_kernel"]
    assert (loaded.input_names, loaded.output_names) == (["x"], ["y"])
    np.testing.assert_allclose(loaded(X), X @ KERNEL)


def test_names_that_become_alike_stay_apart():
    """ "/" is no part of a name, and what a number is added to may be taken as well."""
    tensors = [tensor(name, np.full(3, 2.0, "float32")) for name in ("a/b", "a_b", "a_b_1")]
    nodes = [node("Add", "x a/b", "t"), node("Mul", "t a_b", "u"), node("Add", "u a_b_1", "y")]
    data = model(nodes, [value("x", 1, 3)], [value("y", 1, 3)], tensors)
    names = [weight.name for weight in open_model(data, "file", "m").weights]
    assert len(set(names)) == 3, names


def test_arrays_of_every_form_are_read():
    expected = np.array([1.5, -2.0, 0.25], "float32")
    bits = (expected.view("uint32") >> 16).astype("uint16")
    forms = {
        "float32": dict(float_data=expected.tolist()),
        "float64": dict(double_data=expected.tolist()),
        "float16": dict(int32_data=expected.astype("float16").view("uint16").tolist()),
        "bfloat16": dict(raw_data=bits.tobytes()),
    }
    for dtype, fields in forms.items():
        held = wire.TensorProto(name="w", dims=[3], data_type=wire.NUMBERS[dtype])
        for name, content in fields.items():
            if isinstance(content, list):
                getattr(held, name).extend(content)
            else:
                setattr(held, name, content)
        to_float = node("Cast", "w", "v", to=1)
        data = model([to_float, node("Add", "x v", "y")], [value("x", 3)], [value("y", 3)], [held])
        found = open_onnx(data, "m")(np.zeros(3, "float32"))
        np.testing.assert_array_equal(found, expected, dtype)


def test_numbers_of_four_bits_are_read():
    packed = bytes([0x7 | 0x8 << 4, 0x1 | 0xF << 4])
    held = wire.TensorProto(name="w", dims=[3], data_type=wire.NUMBERS["int4"], raw_data=packed)
    data = model([node("Cast", "w", "y", to=7)], [], [value("y", 3, dtype="int64")], [held])
    assert open_onnx(data, "m")().tolist() == [7, -8, 1]


def test_a_sparse_array_is_read_whole():
    sparse = wire.SparseTensorProto(
        values=tensor("w", np.array([2.0, 3.0], "float32")),
        indices=tensor("", np.array([1, 5], "int64")), dims=[2, 3],
    )  # fmt: skip
    graph = wire.GraphProto(
        name="g", node=[node("Mul", "x w", "y")], input=[value("x", 2, 3)],
        output=[value("y", 2, 3)], sparse_initializer=[sparse],
    )  # fmt: skip
    imports = [wire.OperatorSetIdProto(domain="", version=18)]
    data = wire.ModelProto(ir_version=8, graph=graph, opset_import=imports).write()
    loaded = load_model(data)
    wanted = [[0, 2, 0], [0, 0, 3]]
    np.testing.assert_array_equal(loaded(np.ones((2, 3), "float32")), wanted)
    again = nacre.models.clone_model(loaded)
    again.set_weights(loaded.get_weights())
    np.testing.assert_array_equal(again(np.ones((2, 3), "float32")), wanted)


def test_data_beside_a_file_are_read(tmp_path):
    held = wire.TensorProto(name="layer/kernel", dims=[3, 2], data_type=1, data_location=1)
    entries = {"location": "data/w.bin", "offset": "8", "length": "24"}
    held.external_data = [
        wire.StringStringEntryProto(key=key, value=entry) for key, entry in entries.items()
    ]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(bytes(8) + KERNEL.tobytes())
    (tmp_path / "m.onnx").write_bytes(affine(tensors=[held]))
    loaded = load_model(tmp_path / "m.onnx")
    np.testing.assert_allclose(loaded(X), X @ KERNEL)
    loaded.save(tmp_path / "m.keras")
    (tmp_path / "data" / "w.bin").unlink()
    np.testing.assert_allclose(load_model(tmp_path / "m.keras")(X), X @ KERNEL)


@pytest.mark.parametrize(
    "location", ["../w.bin", "/etc/passwd", "a/../../w.bin", "..\\w.bin", "C:w", "", "a//b"]
)
def test_data_outside_of_the_folder_are_refused(location, tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(KERNEL.tobytes())
    held = wire.TensorProto(name="layer/kernel", dims=[3, 2], data_type=1, data_location=1)
    held.external_data = [wire.StringStringEntryProto(key="location", value=location)]
    (folder / "m.onnx").write_bytes(affine(tensors=[held]))
    with pytest.raises(FileFormatError, match="folder"):
        load_model(folder / "m.onnx")


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(KERNEL.tobytes())
    (folder / "w.bin").symlink_to(tmp_path / "w.bin")
    held = wire.TensorProto(name="layer/kernel", dims=[3, 2], data_type=1, data_location=1)
    held.external_data = [wire.StringStringEntryProto(key="location", value="w.bin")]
    (folder / "m.onnx").write_bytes(affine(tensors=[held]))
    with pytest.raises(FileFormatError, match="link"):
        load_model(folder / "m.onnx")


def test_all_unknown_operators_are_told_at_once():
    nodes = [node("Foo", "x", "a"), node("Bar", "a", "b", "my.domain"), node("Relu", "b", "y")]
    data = model(nodes, [value("x", 2)], [value("y", 2)])
    with pytest.raises(UnsupportedOpError, match=r"2 of 3 .*Foo .*my\.domain\.Bar") as caught:
        load_model(data)
    assert "functions" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (affine(opset=6), "6, where 7"),
        (affine(opset=99), "99, where 7"),
        (affine(tensors=[tensor("layer/kernel", KERNEL[:2])]), "MatMul"),
        (affine(tensors=[]), "'layer/kernel' is read before"),
        (affine(tensors=[_of_dims(3, 3)]), "24 bytes for 9 numbers"),
        (affine(tensors=[_of_dims(-3, -2)]), "shape"),
    ],
)
def test_what_cannot_be_computed_is_told_with_the_files_name(data, words, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(data)
    with pytest.raises(NacreError, match=words) as caught:
        load_model(tmp_path / "broken.onnx")
    assert "broken.onnx" in str(caught.value)


def test_functions_in_a_file_are_run_in_the_place_of_calls():
    scale = wire.NodeProto(op_type="Twice", input=["x"], output=["y"], domain="mine")
    body = [
        node("Add", "a a", "b"),
        wire.NodeProto(
            op_type="LeakyRelu", input=["b"], output=["c"],
            attribute=[wire.AttributeProto(name="alpha", type=wire.FLOAT, ref_attr_name="slope")],
        ),
    ]  # fmt: skip
    scale.attribute = [wire.AttributeProto(name="slope", type=wire.FLOAT, f=0.5)]
    imports = [wire.OperatorSetIdProto(domain="", version=18)]
    function = wire.FunctionProto(
        name="Twice", domain="mine", input=["a"], output=["c"], attribute=["slope"], node=body,
        opset_import=imports,
    )  # fmt: skip
    data = model([scale], [value("x", 2)], [value("y", 2)], functions=[function])
    assert open_onnx(data, "m")(np.array([1.0, -1.0], "float32")).tolist() == [2.0, -1.0]


def test_a_function_that_calls_itself_is_refused():
    call = node("Loop_", "x", "y", "mine")
    function = wire.FunctionProto(
        name="Loop_", domain="mine", input=["x"], output=["y"], node=[call],
        opset_import=[wire.OperatorSetIdProto(domain="", version=18)],
    )  # fmt: skip
    data = model([call], [value("x", 2)], [value("y", 2)], functions=[function])
    with pytest.raises(FileFormatError, match="calls itself"):
        load_model(data)


def test_softmax_of_older_sets_takes_all_axes_from_one_on():
    x = np.arange(8, dtype="float32").reshape(1, 2, 4)
    io = [value("x", 1, 2, 4)], [value("y", 1, 2, 4)]
    old = open_onnx(model([node("Softmax", "x", "y")], *io, opset=11), "m")(x)
    new = open_onnx(model([node("Softmax", "x", "y")], *io, opset=13), "m")(x)
    assert abs(old.sum() - 1) < 1e-6
    np.testing.assert_allclose(new.sum(-1), np.ones((1, 2)), rtol=1e-6)


def test_attributes_of_older_sets_are_inputs_of_newer_ones():
    x = np.arange(6, dtype="float32").reshape(1, 2, 3)
    io = [value("x", 1, 2, 3)], [value("y", None, None)]
    axes = tensor("axes", np.array([0], "int64"))
    pairs = [
        (node("Squeeze", "x", "y", axes=[0]), node("Squeeze", "x axes", "y")),
        (node("ReduceSum", "x", "y", axes=[0]), node("ReduceSum", "x axes", "y")),
        (node("Slice", "x", "y", starts=[0], ends=[1], axes=[2]), None),
    ]
    for old, new in pairs:
        found = open_onnx(model([old], *io, opset=9), "m")(x)
        if new is None:
            np.testing.assert_array_equal(found, x[:, :, :1])
        else:
            np.testing.assert_array_equal(
                found, open_onnx(model([new], *io, [axes], opset=13), "m")(x)
            )


@pytest.mark.parametrize(
    ("op", "wanted"),
    [
        ("ReduceSumSquare", np.square), ("ReduceL1", np.abs), ("ReduceL2", np.abs),
        ("ReduceLogSum", np.log), ("ReduceLogSumExp", np.array), ("ReduceMean", np.array),
        ("ReduceMax", np.array),
    ],
)  # fmt: skip
def test_a_reduction_over_no_axes_does_to_each_number_what_it_does_before_and_after(op, wanted):
    x = np.array([[1.5, -2.0], [0.5, 3.0]], "float32")
    x = np.abs(x) if op == "ReduceLogSum" else x
    data = model([node(op, "x", "y", noop_with_empty_axes=1)], [value("x", 2, 2)], [value("y")])
    np.testing.assert_allclose(open_onnx(data, "m")(x), wanted(x), rtol=1e-6)


def test_zeros_are_quantized_by_a_scale_of_1():
    outputs = [value("y", 3, dtype="uint8"), value("scale"), value("zero", dtype="uint8")]
    data = model([node("DynamicQuantizeLinear", "x", "y scale zero")], [value("x", 3)], outputs)
    y, scale, zero = open_onnx(data, "m")(np.zeros(3, "float32"))
    assert (y.tolist(), float(scale), int(zero)) == ([0, 0, 0], 1.0, 0)


def test_places_of_resized_numbers_are_those_of_32_bits():
    x = np.arange(5, dtype="float32")  # 1.5 / 0.6 - 0.5 is 2 in 32 bits, and in 64 somewhat less
    resize = node("Resize", "x", "y", nearest_mode=b"floor")
    resize.input = ["x", "", "scales"]
    data = model(
        [resize],
        [value("x", 5)], [value("y", 3)], [tensor("scales", np.array([0.6], "float32"))],
    )  # fmt: skip
    np.testing.assert_array_equal(open_onnx(data, "m")(x), [0, 2, 3])


def test_what_depends_on_values_is_computed_call_by_call():
    data = model([node("NonZero", "x", "y")], [value("x", 4)], [value("y", 1, None, dtype="int64")])
    program = open_onnx(data, "m")
    assert isinstance(program, ONNXProgram)
    assert program(np.array([0.0, 1, 0, 2], "float32")).tolist() == [[1, 3]]
    with pytest.warns(UserWarning, match=r"NonZero.*only known when the program runs"):
        assert isinstance(load_model(data), ONNXProgram)


def test_a_file_whose_shapes_follow_from_values_is_a_program_that_is_called(tmp_path):
    path = tmp_path / "places.onnx"
    data = model(
        [node("NonZero", "x", "p"), node("Transpose", "p", "y")],
        [value("x", "batch", 3)], [value("y", "n", 2, dtype="int64")],
    )  # fmt: skip
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="NonZero|only known when the program runs"):
        loaded = load_model(path)
    for rows in (X, X[:1], np.zeros((2, 3), "float32")):
        np.testing.assert_array_equal(loaded(rows), np.argwhere(rows))
        np.testing.assert_array_equal(loaded.predict(rows), np.argwhere(rows))


def test_strings_are_worked_on_by_a_program_that_is_called():
    data = model(
        [node("StringConcat", "a b", "y")],
        [value("a", "n", dtype="string"), value("b", "n", dtype="string")],
        [value("y", "n", dtype="string")], opset=20,
    )  # fmt: skip
    program = load_model(data)
    assert program(["x", "y"], b=["1", "2"]).tolist() == ["x1", "y2"]
    assert program({"b": ["1"], "a": ["x"]}).tolist() == ["x1"]
    assert program.predict([["x"], ["1"]], verbose=0).tolist() == ["x1"]
    for args, kwargs in (((["x"],), {"c": ["y"]}), ((["x"],), {}), ((), {})):
        with pytest.raises(NacreError, match="its inputs are a, b"):
            program(*args, **kwargs)


def test_truncated_files_are_one_clear_error():
    data = affine()
    for end in range(3, len(data) - 1, 7):
        with pytest.raises(NacreError, match="bytes"):
            load_model(data[:end])


@pytest.mark.parametrize(
    ("ops", "tensors"),
    [
        ([node("Expand", "zeros sizes", "made")], {"zeros": np.zeros((1, 3), "float32")}),
        (
            [
                node("Slice", "table zero rows zero", "part"),
                node("ReduceSum", "part", "made"),
            ],
            {"table": np.zeros((9, 3), "float32"), "zero": np.zeros(1, "int64")},
        ),
        (
            [
                node("Concat", "none none rows none", "pads", axis=0),
                node("Pad", "nothing pads", "made"),
            ],
            {"nothing": np.zeros((0, 3), "float32"), "none": np.zeros(1, "int64")},
        ),
    ],
    ids=["Expand", "Slice", "Pad"],
)
def test_constants_take_a_size_of_the_batch_and_are_exported_with_it(tmp_path, ops, tensors):
    sizes = [
        node("Shape", "x", "sizes"),
        node("Slice", "sizes first second", "rows"),
    ]
    tensors |= {"first": np.array([0]), "second": np.array([1])}
    held = model(
        [*sizes, *ops, node("Add", "x made", "y")], [value("x", "batch", 3)],
        [value("y", "batch", 3)], [tensor(k, v) for k, v in tensors.items()],
    )  # fmt: skip
    loaded = load_model(held)
    np.testing.assert_allclose(loaded.predict(X, verbose=0), X)
    loaded.export(tmp_path / "m", format="npz", verbose=False)
