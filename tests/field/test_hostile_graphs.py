"""A graph of TensorFlow reads the files of its own folder alone, writes none, runs no Python, and
takes no memory and no time when it is opened that its size does not account for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from nacre.core.errors import FileFormatError, NacreError, UnsupportedError
from nacre.core.wire.bundle import write_bundle
from nacre.core.wire.tensorflow.graph import AttrList, AttrValue
from nacre.export.importers.tensorflow import ops as ops  # they register themselves
from nacre.export.importers.tensorflow.registry import OPS
from nacre.models import load_model
from tests.field.hostile_graphs import (
    FLOAT,
    INT32,
    STRING,
    function,
    node,
    numbers,
    repeated,
    saved_model,
    text,
)
from tests.field.test_hostile_sizes import little_memory_of


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the reader's that is no part of any model."""
    path = tmp_path / "secret.txt"
    path.write_text("password\n")
    return path


# -------------------------------------------------------------------- files

Places = Callable[[Path, Path], str]
PLACES: dict[str, Places] = {
    "absolute": lambda secret, folder: str(secret),
    "relative": lambda secret, folder: os.path.relpath(secret),
    "parent": lambda secret, folder: f"{folder}/../secret.txt",
    "folder of assets": lambda secret, folder: f"{folder}/assets/../../secret.txt",
    "link": lambda secret, folder: f"{folder}/link.txt",
    "through a link": lambda secret, folder: f"{folder}/around/secret.txt",
    "pipe": lambda secret, folder: f"{folder}/pipe",
    "folder": lambda secret, folder: str(folder),
    "zero": lambda secret, folder: f"{folder}/a\0b",
    "empty": lambda secret, folder: "",
}


def readers(path: str) -> dict[str, list[Any]]:
    """Graphs whose node `out` gives what is in a file, or needs it."""
    table = node("HashTableV2", "table", key_dtype=AttrValue(type=STRING),
                 value_dtype=AttrValue(type=9), shared_name=b"t")  # fmt: skip
    fill = node("InitializeTableFromTextFileV2", "fill", "table", "path", key_index=-2,
                value_index=-1, vocab_size=-1, delimiter=b"\t")  # fmt: skip
    kinds = AttrValue(list=AttrList(type=[FLOAT]))
    return {
        "ReadFile": [text("path", path), node("ReadFile", "out", "path")],
        "a table": [text("path", path), table, fill, node("NoOp", "out", "^fill")],
        "RestoreV2": [
            text("path", path.removesuffix(".txt")),
            node("Const", "names", value=np.array([b"x"], object)),
            node("Const", "slices", value=np.array([b""], object)),
            node("RestoreV2", "out", "path", "names", "slices", dtypes=kinds),
        ],
    }


@pytest.mark.parametrize("place", PLACES)
def test_a_graph_reads_no_file_outside_of_its_folder(
    place: str, secret: Path, tmp_path: Path
) -> None:
    index, data = write_bundle({"x": np.ones(2, "float32")})
    (tmp_path / "secret.index").write_bytes(index)
    (tmp_path / "secret.data-00000-of-00001").write_bytes(data)
    for name in readers(""):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "link.txt").symlink_to(secret)
        (folder / "link.index").symlink_to(tmp_path / "secret.index")
        (folder / "around").symlink_to(tmp_path)
        os.mkfifo(folder / "pipe")
        path = PLACES[place](secret, folder)
        with pytest.raises(NacreError, match=rf"'{name}'"):
            load_model(saved_model(folder, readers(path)[name], init="out"))
        if name == "ReadFile":
            program = load_model(saved_model(folder, readers(path)[name], "out"))
            with pytest.raises(NacreError, match="ReadFile") as caught:
                program.signatures["serving_default"]()
            assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["../secret.txt", "/etc/passwd", "a/../../x", "..\\x", "C:\\x", "C:x", "", ".", "a\0b"]
)
def test_an_asset_is_a_file_in_the_folder_of_assets(name: str, tmp_path: Path) -> None:
    nodes = [text("path", ""), node("ReadFile", "read", "path"), node("NoOp", "init", "^read")]
    folder = saved_model(tmp_path / "m", nodes, init="init", assets={"path": name})
    with pytest.raises(FileFormatError, match="'m'.*folder of assets"):
        load_model(folder)


def test_an_asset_is_read_and_a_link_for_it_is_not(secret: Path, tmp_path: Path) -> None:
    nodes = [text("path", ""), node("ReadFile", "read", "path"), node("NoOp", "init", "^read")]
    folder = saved_model(tmp_path / "m", nodes, init="init", assets={"path": "words/v.txt"})
    (folder / "assets" / "words").mkdir(parents=True)
    asset = folder / "assets" / "words" / "v.txt"
    asset.write_text("a")
    load_model(folder)
    asset.unlink()
    asset.symlink_to(secret)
    with pytest.raises(NacreError, match="a link to"):
        load_model(folder)


@pytest.mark.parametrize("part", ["saved_model.pb", "variables.index", "variables.data", "folder"])
def test_a_folder_with_a_link_in_place_of_a_file_is_refused(part: str, tmp_path: Path) -> None:
    restore = readers(f"{tmp_path}/m/variables/variables")["RestoreV2"]
    folder = saved_model(tmp_path / "m", restore, init="out")
    (folder / "variables").mkdir()
    index, data = write_bundle({"x": np.ones(2, "float32")})
    (folder / "variables" / "variables.index").write_bytes(index)
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(data)
    load_model(folder)
    place = next(p for p in folder.rglob("*") if p.name.startswith(part.replace("folder", "vari")))
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    place.rename(moved / place.name)
    place.symlink_to(moved / place.name)
    with pytest.raises(NacreError, match="'m'.*(a link|outside)"):
        load_model(folder)


def test_no_op_writes_files_lists_them_or_runs_python(tmp_path: Path) -> None:
    names = (
        "WriteFile", "SaveV2", "Save", "SaveSlices", "MergeV2Checkpoints", "MatchingFiles",
        "PyFunc", "PyFuncStateless", "EagerPyFunc", "TFRecordDataset", "TextLineDataset",
        "FixedLengthRecordDataset", "WholeFileReaderV2", "ReaderReadV2", "RestoreSlice", "Restore",
        "ImportEvent", "SaveDatasetV2", "LoadDataset", "DebugIdentityV3", "CloseSummaryWriter",
        "CreateSummaryFileWriter", "SummaryWriter", "LoadLibrary", "RemoteCall", "_Send", "_Recv",
        "RpcCall", "FilesystemSetConfiguration",
    )  # fmt: skip
    assert not set(names) & set(OPS)
    nodes = [node(name, name.strip("_")) for name in names]
    nodes.append(node("NoOp", "init", *(f"^{n.name}" for n in nodes)))
    with pytest.raises(UnsupportedError) as caught:
        load_model(saved_model(tmp_path / "m", nodes, init="init"))
    assert all(name in str(caught.value) for name in names)


def test_what_a_graph_prints_goes_to_no_file(tmp_path: Path) -> None:
    target = tmp_path / "printed.txt"
    nodes = [text("words", "x"), node("PrintV2", "init", "words",
                                      output_stream=f"file://{target}".encode())]  # fmt: skip
    load_model(saved_model(tmp_path / "m", nodes, init="init"))
    assert not target.exists()


def test_a_program_of_stablehlo_calls_no_function_of_the_machine(tmp_path: Path) -> None:
    x = jax.ShapeDtypeStruct((2, 2), "float32")

    def lowered(name: str) -> bytes:
        call = jax.ffi.ffi_call(name, x)
        allowed = [jax.export.DisabledSafetyCheck.custom_call(name)]
        made = jax.export.export(
            jax.jit(lambda a: call(a)), platforms=["cpu"], disabled_checks=allowed
        )
        return made(x).mlir_module_serialized

    def program(module: bytes, name: str) -> Any:
        call = node("XlaCallModule", "out", "x", module=module, version=9)
        nodes = [numbers("x", np.eye(2), "float32"), call]
        return load_model(saved_model(tmp_path / name, nodes, "out")).signatures["serving_default"]

    for name in ("xla_python_cpu_callback", "xla_ffi_python_cpu_callback", "mosaic_gpu_v2"):
        with pytest.raises(NacreError, match=f"it calls {name}"):
            program(lowered(name), name)()
    factor = jax.export.export(jax.jit(jnp.linalg.cholesky), platforms=["cpu"])(x)
    found = program(factor.mlir_module_serialized, "factor")()["out"]
    np.testing.assert_array_equal(found, np.eye(2, dtype="float32"))


# -------------------------------------------------------------------- memory and time


def assigned(*nodes: Any) -> list[Any]:
    """Nodes of which the last is given to a variable when the folder is opened."""
    handle = node("VarHandleOp", "handle", dtype=AttrValue(type=FLOAT), shared_name=b"v")
    return [*nodes, handle, node("AssignVariableOp", "init", "handle", nodes[-1].name)]


MANY = 300_000_000
LARGE: dict[str, list[Any]] = {
    "Fill": assigned(numbers("size", [MANY]), numbers("x", 1.0, "float32"), node("Fill", "y", "size", "x")),
    "a repeated number": assigned(repeated("x", (MANY,))),
    "Range": assigned(numbers("a", 0), numbers("b", MANY), numbers("c", 1), node("Range", "y", "a", "b", "c")),
    "Tile": assigned(numbers("x", [1.0], "float32"), numbers("n", [MANY]), node("Tile", "y", "x", "n")),
    "Pad": assigned(numbers("x", [1.0], "float32"), numbers("n", [[0, MANY]]), node("Pad", "y", "x", "n")),
    "LinSpace": assigned(numbers("a", 0.0, "float32"), numbers("b", 1.0, "float32"), numbers("n", MANY),
                         node("LinSpace", "y", "a", "b", "n")),
    "OneHot": assigned(numbers("x", [1]), numbers("n", MANY), numbers("a", 0.0, "float32"),
                       numbers("b", 1.0, "float32"), node("OneHot", "y", "x", "n", "a", "b")),
    "BroadcastTo": assigned(numbers("x", [1.0], "float32"), numbers("n", [MANY]),
                            node("BroadcastTo", "y", "x", "n")),
    "Empty": assigned(numbers("n", [MANY]), node("Empty", "y", "n", dtype=AttrValue(type=FLOAT))),
    "a list": assigned(numbers("s", [1]), numbers("n", MANY),
                       node("TensorListReserve", "l", "s", "n", element_dtype=AttrValue(type=FLOAT)),
                       node("TensorListStack", "y", "l", "s", element_dtype=AttrValue(type=FLOAT))),
    "a list of texts": assigned(numbers("s", [1]), numbers("n", MANY),
                       node("TensorListReserve", "l", "s", "n", element_dtype=AttrValue(type=STRING)),
                       node("TensorListStack", "y", "l", "s", element_dtype=AttrValue(type=STRING))),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_opening_a_graph_makes_no_large_arrays(name: str, tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "m", LARGE[name], init="init")
    with pytest.raises(NacreError, match="'m'.*bytes"):
        little_memory_of(lambda: load_model(folder))


def test_opening_a_graph_ends_though_a_loop_in_it_does_not(tmp_path: Path) -> None:
    goes_on = function("goes_on", ["x"], "yes:output:0", node("Const", "yes", value=np.array(True)))
    body = function("body", ["x"], "y:z:0", node("AddV2", "y", "x", "x"))
    loop = node("While", "init", "x", cond="goes_on", body="body",
                T=AttrValue(list=AttrList(type=[INT32])))  # fmt: skip
    folder = saved_model(tmp_path / "m", [numbers("x", 1), loop], init="init",
                         functions=[goes_on, body])  # fmt: skip
    with pytest.raises(NacreError, match="'m'.*loop"):
        load_model(folder)


def test_functions_that_call_themselves_are_refused(tmp_path: Path) -> None:
    kinds = {"T": AttrValue(list=AttrList(type=[INT32]))}
    call = node("PartitionedCall", "y", "x", f="again", **kinds)
    branch = node("If", "y", "x", "x", then_branch="again", else_branch="again", **kinds)
    chain = [function(f"f{i}", ["x"], "y:output:0", node("PartitionedCall", "y", "x", f=f"f{i + 1}", **kinds))
             for i in range(3000)]  # fmt: skip
    doubling = [
        function(f"f{i}", ["x"], "z:output:0",
                 node("PartitionedCall", "y", "x", f=f"f{i + 1}", **kinds),
                 node("PartitionedCall", "z", "y:output:0", f=f"f{i + 1}", **kinds))
        for i in range(60)
    ]  # fmt: skip
    last = function("f60", ["x"], "x")
    for index, functions in enumerate((
        [function("again", ["x"], "y:output:0", call)],
        [function("again", ["x"], "y:output:0", branch)],
        chain,
        [*doubling, last],
    )):  # fmt: skip
        start = functions[0].signature
        assert start is not None
        nodes = [numbers("x", 1), node("PartitionedCall", "init", "x", f=start.name, **kinds)]
        folder = saved_model(tmp_path / str(index), nodes, init="init", functions=functions)
        with pytest.raises(NacreError, match=rf"'{index}'"):
            load_model(folder)
