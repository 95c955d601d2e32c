"""Frozen graphs with loops of TensorFlow 1 give what TensorFlow gave."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nacre.core.errors import FileFormatError
from nacre.core.wire.tensorflow.graph import AttrValue, GraphDef, NodeDef
from nacre.saving import open_saved_model

ZIP = Path(__file__).parents[3] / "reference" / "frozen_loops.zip"
with zipfile.ZipFile(ZIP) as archive:
    FILES = {name: archive.read(name) for name in archive.namelist()}
NAMES = [name.removesuffix(".pb") for name in FILES if name.endswith(".pb")]


def arrays(beginning: str) -> dict[str, np.ndarray]:
    found = {}
    for name, data in FILES.items():
        if name.startswith(beginning):
            array = np.load(io.BytesIO(data))
            texts = array.dtype.kind == "U"
            key = name.removeprefix(beginning).removesuffix(".npy")
            found[key] = np.char.encode(array).astype(object) if texts else array
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_loop_gives_what_it_gave_in_tensorflow(tmp_path, name):
    (tmp_path / "graph.pb").write_bytes(FILES[f"{name}.pb"])
    program = open_saved_model(tmp_path / "graph.pb")
    found = program.signatures["serving_default"](**arrays(f"{name}/x/"))
    for index, right in arrays(f"{name}/y/").items():
        got = np.asarray(found[f"result_{index}"])
        if right.dtype == object:
            assert got.tolist() == right.tolist()
        else:
            assert got.shape == right.shape
            np.testing.assert_allclose(got, right, 1e-5, 1e-5)


def test_a_loop_takes_other_sizes_than_it_was_traced_with(tmp_path):
    (tmp_path / "graph.pb").write_bytes(FILES["lstm.pb"])
    serve = open_saved_model(tmp_path / "graph.pb").signatures["serving_default"]
    x = np.random.default_rng(1).normal(size=(3, 7, 3)).astype("float32")
    whole, one = serve(x=x)["result_0"], serve(x=x[1:2, :4])["result_0"]
    assert whole.shape == (3, 7, 4)
    np.testing.assert_allclose(one, whole[1:2, :4], rtol=1e-5, atol=1e-6)


def written(path: Path, nodes: list[NodeDef]) -> Path:
    path.write_bytes(GraphDef(node=nodes).write())
    return path


def test_loops_that_are_not_whole_are_refused(tmp_path):
    given = NodeDef(name="x", op="Placeholder", attr={"dtype": AttrValue(type=1)})
    enter = NodeDef(name="e", op="Enter", input=["x"], attr={"frame_name": AttrValue(s=b"loop")})
    merge = NodeDef(name="m", op="Merge", input=["e", "n"])
    switch = NodeDef(name="s", op="Switch", input=["m", "c"])
    following = NodeDef(name="n", op="NextIteration", input=["s:1"])
    condition = NodeDef(name="c", op="LoopCond", input=["p"])
    end = NodeDef(name="y", op="Exit", input=["s"])
    loop = [given, enter, merge, switch, following, end]
    for nodes, told in (
        (loop, "has no condition"),
        ([*loop, condition], "no node 'p'"),
        ([*loop, NodeDef(name="c", op="LoopCond", input=[])], "takes 0 tensors"),
    ):
        with pytest.raises(FileFormatError, match=told):
            open_saved_model(written(tmp_path / "graph.pb", nodes))
