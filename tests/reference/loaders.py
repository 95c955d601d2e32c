"""TensorFlow's own loader in C++, and its tool for the shell, on a SavedModel folder.

Servers open folders by this loader; its C API is part of TensorFlow's wheel. Source:
tensorflow/c/c_api.h.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np


class _Output(ctypes.Structure):
    _fields_ = [("oper", ctypes.c_void_p), ("index", ctypes.c_int)]


_POINTERS = (
    "TF_NewStatus TF_NewGraph TF_NewSessionOptions TF_LoadSessionFromSavedModel "
    "TF_GraphOperationByName TF_AllocateTensor TF_TensorData"
).split()


def _library() -> Any:
    import tensorflow as tf

    folder = Path(tf.__file__).parent
    found = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"))
    for name in _POINTERS:
        getattr(found, name).restype = ctypes.c_void_p
    found.TF_Message.restype = ctypes.c_char_p
    found.TF_TensorByteSize.restype = ctypes.c_size_t
    return found


def _pointer(value: Any) -> Any:
    return ctypes.c_void_p(value)


def by_c_api(path: str, signature: Any, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a signature gives in a session that the C++ loader opened.

    Args:
        signature: Its SignatureDef.
        given: Arrays of numbers by the names of its inputs.
    """
    lib = _library()
    status, graph = _pointer(lib.TF_NewStatus()), _pointer(lib.TF_NewGraph())

    def check() -> None:
        assert lib.TF_GetCode(status) == 0, lib.TF_Message(status).decode()

    tags = (ctypes.c_char_p * 1)(b"serve")
    options = _pointer(lib.TF_NewSessionOptions())
    session = _pointer(
        lib.TF_LoadSessionFromSavedModel(options, None, path.encode(), tags, 1, graph, None, status)
    )
    check()

    def ends(infos: Any) -> Any:
        found = (_Output * len(infos))()
        for place, info in zip(found, infos, strict=True):
            node, _, index = info.name.partition(":")
            place.oper = lib.TF_GraphOperationByName(graph, node.encode())
            place.index = int(index or 0)
        return found

    inputs = [signature.inputs[name] for name in sorted(given)]
    outputs = [signature.outputs[name] for name in sorted(signature.outputs)]
    tensors = (ctypes.c_void_p * len(inputs))()
    for number, (info, name) in enumerate(zip(inputs, sorted(given), strict=True)):
        array = np.ascontiguousarray(given[name])
        sizes = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensors[number] = lib.TF_AllocateTensor(
            info.dtype, sizes, array.ndim, ctypes.c_size_t(array.nbytes)
        )
        ctypes.memmove(
            lib.TF_TensorData(_pointer(tensors[number])), array.ctypes.data, array.nbytes
        )
    results = (ctypes.c_void_p * len(outputs))()
    lib.TF_SessionRun(
        session, None, ends(inputs), tensors, len(inputs), ends(outputs), results, len(outputs),
        None, 0, None, status,
    )  # fmt: skip
    check()
    return {
        name: _array(lib, result, info.dtype)
        for name, info, result in zip(sorted(signature.outputs), outputs, results, strict=True)
    }


def _array(lib: Any, tensor: Any, kind: int) -> np.ndarray:
    import tensorflow as tf

    tensor = _pointer(tensor)
    lib.TF_Dim.restype = ctypes.c_int64
    shape = [lib.TF_Dim(tensor, axis) for axis in range(lib.TF_NumDims(tensor))]
    data = ctypes.string_at(lib.TF_TensorData(tensor), lib.TF_TensorByteSize(tensor))
    return np.frombuffer(data, tf.dtypes.as_dtype(kind).as_numpy_dtype).reshape(shape)


def by_tool(path: str, given: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    """What `saved_model_cli run` writes of the signature `serving_default`; `show` must tell it."""

    def run(*arguments: str) -> str:
        tool = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"]
        found = subprocess.run([*tool, *arguments], capture_output=True, text=True, check=True)
        return found.stdout

    shown = run("show", "--dir", path, "--all")
    assert "signature_def['serving_default']" in shown, shown[:500]
    folder.mkdir(exist_ok=True)
    texts: list[str] = []
    for name, array in given.items():
        np.save(folder / f"{name}.npy", array)
        texts.append(f"{name}={folder / name}.npy")
    run(
        "run", "--dir", path, "--tag_set", "serve", "--signature_def", "serving_default",
        "--inputs", ";".join(texts), "--outdir", str(folder / "out"), "--overwrite",
    )  # fmt: skip
    return {file.stem: np.load(file) for file in sorted((folder / "out").glob("*.npy"))}
