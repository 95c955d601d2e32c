"""What is damaged for each reader, how, and how it is opened (`damage.py` tries it)."""

from __future__ import annotations

import functools
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from nacre.core.wire.records import read_record, record
from tests.field.mutations import mutate, mutate_json, mutate_message, mutate_table, repacked

READERS = (
    "keras", "keras_in_place", "keras_inside", "h5", "old_h5", "weights_h5", "legacy_h5", "shards",
    "safetensors", "safetensors_index", "npz", "config_json", "config_yaml", "hub_folder",
    "checkpoint", "saved_model", "keras_saved_model", "program", "frozen_graph", "records",
    "data_set", "onnx", "onnx_program", "pt2", "tflite", "tfjs", "stablehlo",
)  # fmt: skip
# Files that say by themselves when a bit of them has changed.
HAS_CHECKSUMS = (
    "keras", "keras_in_place", "h5", "weights_h5", "legacy_h5", "shards", "safetensors", "npz",
    "checkpoint",
)  # fmt: skip
# Texts and bytes that have no name an error could tell.
HAS_NO_NAME = ("config_json", "config_yaml")

_MODULE = rb"ML\xefR"  # how MLIR bytecode begins: mlir/Bytecode/Encoding.h
Files = dict[str, bytes]  # path within a folder -> content
_REFERENCE = Path(__file__).resolve().parent.parent / "reference"


@dataclass
class Case:
    """A reader's files, how they are damaged, and how they are opened.

    Attributes:
        variants: Several sets of files, as (name of the file or folder to open, files).
        damage: From a set and a generator to a damaged set.
        open: From the path to the numbers found, as bytes.
        agree: Whether numbers found may be those of a file whose own are others.
        numbers: What the undamaged files give, of each variant that was tried.
    """

    variants: list[tuple[str, Files]]
    damage: Callable[[Files, Random], Files]
    open: Callable[[Path], bytes]
    agree: Callable[[bytes, bytes], bool] = lambda found, own: found == own
    numbers: dict[int, bytes] = field(default_factory=dict)


# -------------------------------------------------------------------- ways to damage


def _bytes_alone(files: Files, random: Random) -> Files:
    chosen = random.choice(list(files))
    return {**files, chosen: mutate(files[chosen], random)}


def _inside(files: Files, random: Random) -> Files:
    (name, content), chosen = next(iter(files.items())), random.choice((".json", ".h5", "config."))

    def change(member: str, inner: bytes) -> bytes:
        if chosen not in member:
            return inner
        if chosen == "config.":
            return mutate_json(inner.decode(), random).encode()
        return mutate(inner, random)

    return {name: repacked(content, change)}


def _members(files: Files, random: Random) -> Files:
    """Change the archive, or a member of it, stored as it was."""
    (name, content), *_ = files.items()
    if random.random() < 0.3:
        return {name: mutate(content, random)}
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        members = old.namelist()
        chosen = random.choice([m for m in members if m.endswith(".json")] * 4 + members)
        for member in members:
            inner = old.read(member)
            if member == chosen:
                is_json = member.endswith(".json")
                inner = (
                    mutate_json(inner.decode(), random).encode()
                    if is_json
                    else mutate(inner, random)
                )
            new.writestr(member, inner)
    return {name: packed.getvalue()}


def _structures(files: Files, random: Random) -> Files:
    """Change one file of a folder: its bytes, or the structure that its name tells of."""
    chosen = random.choice(list(files))
    content = files[chosen]
    if random.random() < 0.3 or not content:
        damaged = mutate(content, random)
    elif chosen.endswith(".json"):
        damaged = mutate_json(content.decode(), random).encode()
    elif chosen.endswith((".pb", ".onnx")):
        damaged = mutate_message(content, random)
    elif chosen.endswith(".index"):
        damaged = mutate_table(content, random)
    else:
        damaged = mutate(content, random)
    return {**files, chosen: damaged}


def _modules(files: Files, random: Random) -> Files:
    """Change bytes of a StableHLO module within a graph, or the graph around it."""
    name = next(name for name in files if name.endswith("saved_model.pb"))
    content = files[name]
    starts = [match.start() for match in re.finditer(_MODULE, content)]
    if random.random() < 0.2:
        return _structures(files, random)
    start = random.choice(starts)
    size = _varint_before(content, start)
    # Of the length that it had, so that the message around it stays whole.
    damaged = mutate(content[start : start + size], random)[:size].ljust(size, b"\0")
    return {**files, name: content[:start] + damaged + content[start + size :]}


def _varint_before(content: bytes, end: int) -> int:
    """The number that the bytes before a place say: a field's length."""
    start = end - 1
    while content[start - 1] & 0x80:
        start -= 1
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(content[start:end]))


def _json(files: Files, random: Random) -> Files:
    name, content = next(iter(files.items()))
    if random.random() < 0.7:
        return {name: mutate_json(content.decode(), random).encode()}
    return {name: mutate(content, random)}


def _yaml(files: Files, random: Random) -> Files:
    name, content = next(iter(files.items()))
    kind = random.random()
    if kind < 0.4:  # what is JSON is YAML
        config = json.dumps(_of_yaml(content))
        return {name: mutate_json(config, random).encode()}
    if kind < 0.6:
        lines = content.split(b"\n")
        at = random.randrange(len(lines))
        tag = random.choice((b"!!python/object/apply:os.system [a]", b"&a [*a]", b"!!binary x",
                             b"*no", b"? {a: b}", b"<<: *a", b"!!set {a}", b"[" * 3000))  # fmt: skip
        lines[at] = lines[at].split(b":")[0] + b": " + tag
        return {name: b"\n".join(lines)}
    return {name: mutate(content, random)}


@functools.cache
def _of_yaml(content: bytes) -> Any:
    import yaml

    return yaml.safe_load(content)


def _records(files: Files, random: Random) -> Files:
    """Bytes of the file, or those of a record, framed anew."""
    name, content = next(iter(files.items()))
    if random.random() < 0.5:
        return {name: mutate(content, random)}
    read = io.BytesIO(content).read
    found = list(iter(functools.partial(read_record, read), None))
    at = random.randrange(len(found))
    how = mutate_message if name.endswith("records") else mutate
    found[at] = how(found[at], random)
    return {name: b"".join(map(record, found))}


# -------------------------------------------------------------------- ways to open


def _numbers(model: Any) -> bytes:
    """Config and weights; of what has no layers its variables."""
    if not hasattr(model, "layers"):
        # A program of ONNX, which a damaged file may open as, holds constants alone.
        variables = getattr(model, "variables", ())
        return b"".join(np.asarray(v.value).tobytes() for v in variables)
    from nacre.core.errors import SerializationError

    try:
        described = model.get_config()
    except SerializationError:  # opened from its functions
        described = {}
    config = json.dumps(described, sort_keys=True, default=str).encode()
    return config + b"".join(w.tobytes() for w in model.get_weights())


def _read_records(path: Path) -> bytes:
    import nacre

    found = []
    for data in nacre.data.TFRecordDataset(str(path)).as_numpy_iterator():
        try:
            found.append(repr(sorted(nacre.data.Example.FromString(data).features)).encode())
        except nacre.core.errors.NacreError:  # of the record alone, which has no name
            found.append(b"none")
    return b"".join(found)


def _read_data_set(path: Path) -> bytes:
    import nacre

    found = list(nacre.data.Dataset.load(str(path)).as_numpy_iterator())
    return b"".join(np.asarray(part).tobytes() for item in found for part in item)


def _run_program(path: Path) -> bytes:
    """Open a program, and call it where no array of a size that is open is needed."""
    import nacre

    program = nacre.models.load_model(path)
    found = [np.asarray(v.value).tobytes() for v in program.variables]
    for signature in program.signatures.values():
        inputs = {name: _zeros(spec) for name, spec in signature.inputs.items()}
        try:
            outputs = signature(**inputs)
        except nacre.core.errors.NacreError:  # of an input or a node, not of the file
            continue
        found += [np.asarray(value).tobytes() for _, value in sorted(outputs.items())]
    return b"".join(found)


def _zeros(spec: Any) -> Any:
    dtype, sizes = spec
    shape = tuple(min(size or 1, 64) for size in sizes or ())
    if dtype == "string":
        return np.full(shape, b"a b", object)
    return np.zeros(shape, "float32" if dtype.startswith("dtype ") else dtype)


# -------------------------------------------------------------------- the files


def folder_of(path: Path) -> tuple[str, Files]:
    """A folder as a variant."""
    inner = sorted(p for p in path.rglob("*") if p.is_file())
    return path.name, {f"{path.name}/{p.relative_to(path)}": p.read_bytes() for p in inner}


def files_of(folder: Path, target: str, *others: str) -> tuple[str, Files]:
    """Files of a folder as a variant, of which the first is opened."""
    return target, {name: (folder / name).read_bytes() for name in (target, *others)}


def _programs(*names: str) -> Iterable[tuple[str, Files]]:
    with zipfile.ZipFile(_REFERENCE / "saved_models.zip") as archive:
        for name in names:
            inner = [n for n in archive.namelist() if n.startswith(f"{name}/")]
            wanted = [n for n in inner if not n.endswith((".json", "fingerprint.pb"))]
            yield name, {member: archive.read(member) for member in wanted}


# Files of ONNX with shapes that are computed, and functions.
_ONNX = ("shapes_14", "shapes_18")


def _run_onnx(path: Path) -> bytes:
    from nacre.export.importers.onnx.program import open_onnx

    program = open_onnx(path, path.name)
    arrays = [
        np.zeros([min(n, 64) if n else 2 for n in port.shape or ()], port.dtype)
        for port in program.calls["main"].inputs
        if port.dtype not in ("string", "other")
    ]
    found = program(*arrays)
    return b"".join(
        np.asarray(f).tobytes() for f in (found if isinstance(found, list) else [found])
    )


def _run_imported(path: Path) -> bytes:
    """Open a model, and call its signatures where it has some."""
    import nacre

    model = nacre.models.load_model(path)
    found = [_numbers(model)]
    for signature in getattr(model, "signatures", {}).values():
        try:
            outputs = signature(**{name: _zeros(told) for name, told in signature.inputs.items()})
        except nacre.core.errors.NacreError as error:  # of an input, not of the file
            if path.name in str(error):
                raise
            continue
        found += [np.asarray(value).tobytes() for _, value in sorted(outputs.items())]
    return b"".join(found)


def _archived(archive: str, *names: str) -> Iterable[tuple[str, Files]]:
    """Single files of an archive of references."""
    with zipfile.ZipFile(_REFERENCE / "files" / archive) as found:
        for name in names:
            yield name, {name: found.read(name)}


def make_cases(folder: Path) -> dict[str, Case]:
    """The files of each reader, made in `folder`."""
    import yaml

    import nacre
    from nacre.saving import archive, hdf5

    def small() -> Any:
        layers = [nacre.Input((3,)), nacre.layers.Dense(4, "relu", name="a"), nacre.layers.Dense(2)]
        model = nacre.Sequential(layers, name="m")
        model.compile("adam", "mse")
        return model

    nacre.utils.set_random_seed(0)
    model, target = small(), small()
    lookup = nacre.layers.StringLookup(vocabulary=["a", "b"], output_mode="tf_idf",
                                       idf_weights=[1.0, 2.0])  # fmt: skip
    words = nacre.Sequential([nacre.Input((2,), dtype="string"), lookup, nacre.layers.Dense(2)])
    model.save(folder / "m.keras")
    model.save(folder / "m.h5")
    model.export(folder / "m.onnx", format="onnx", verbose=False)
    model.export(folder / "m.tflite", verbose=False, verify=False)
    for name in ("tfjs", "tfjs_layers"):
        model.export(folder / name, format=name, verbose=False, verify=False)
    model.save_weights(folder / "w.weights.h5")
    model.save_weights(folder / "w.h5")
    model.save_weights(folder / "w.safetensors")
    model.save_weights(folder / "w.npz")
    model.save_weights(folder / "s.weights.json", max_shard_size=80 / 1024**3)
    model.save_weights(folder / "parts.safetensors", max_shard_size=80 / 1024**3)
    model.save_weights(folder / "ckpt")
    model.save(folder / "folder", verify=False)
    words.save_pretrained(folder / "hub")
    (folder / "c.json").write_text(model.to_json())
    (folder / "c.yaml").write_text(yaml.safe_dump(json.loads(model.to_json())))
    with nacre.data.TFRecordWriter(folder / "some.records") as writer:
        for number in range(5):
            parts = {"label": number, "size": [1.5] * 20, "name": ["ab", "c"]}
            writer.write(nacre.data.Example(parts).SerializeToString())
    elements = np.arange(24, dtype="float32").reshape(4, 6), np.arange(4)
    for name, compression in (("data", None), ("packed", "GZIP")):
        nacre.data.Dataset.from_tensor_slices(elements).save(folder / name, compression)

    def whole(path: Path) -> bytes:
        return _numbers(nacre.models.load_model(path))

    def in_place(path: Path) -> bytes:
        """As large weights are read: from the archive, with checksums taken beside."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(archive, "_IN_PLACE_FROM", 0)
            patch.setattr(hdf5, "_LARGE_BYTES", 0)
            return whole(path)

    def weights(path: Path) -> bytes:
        for variable in target.variables:
            variable.assign(nacre.ops.zeros_like(variable))
        try:
            target.load_weights(path)
        except Exception:
            if any(w.any() for w in target.get_weights()):
                raise AssertionError("a file that was refused has changed the model") from None
            raise
        return _numbers(target)

    def from_json(path: Path) -> bytes:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        return _numbers(nacre.models.model_from_json(text))

    def from_yaml(path: Path) -> bytes:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        return _numbers(nacre.models.model_from_yaml(text))

    def pretrained(path: Path) -> bytes:
        return _numbers(nacre.models.from_pretrained(path))

    own, legacy = functools.partial(files_of, folder), _REFERENCE / "files" / "legacy"
    shards = sorted(p.name for p in folder.glob("s_*"))
    parts = sorted(p.name for p in folder.glob("parts-*"))
    index, data = "ckpt.index", "ckpt.data-00000-of-00001"
    old = ("sequential_dense.h5", "embedding.h5")
    exported = _REFERENCE / "files" / "tensorflow" / "sequential_dense_exported"
    frozen = next(iter(_programs("frozen")))[1]["frozen/graph.pb"]
    return {
        "keras": Case([own("m.keras")], _bytes_alone, whole),
        "keras_in_place": Case([own("m.keras")], _bytes_alone, in_place),
        "keras_inside": Case([own("m.keras")], _inside, whole),
        "h5": Case([own("m.h5")], _bytes_alone, whole),
        "old_h5": Case([files_of(legacy, name) for name in old], _bytes_alone, whole),
        "weights_h5": Case([own("w.weights.h5")], _bytes_alone, weights),
        "legacy_h5": Case([own("w.h5")], _bytes_alone, weights),
        "safetensors": Case([own("w.safetensors")], _bytes_alone, weights),
        "safetensors_index": Case(
            [own("parts.safetensors.index.json", *parts)], _structures, weights
        ),
        "npz": Case([own("w.npz")], _bytes_alone, weights),
        "shards": Case([own("s.weights.json", *shards)], _bytes_alone, weights),
        "config_json": Case([own("c.json")], _json, from_json),
        "config_yaml": Case([own("c.yaml")], _yaml, from_yaml),
        "hub_folder": Case([folder_of(folder / "hub")], _structures, pretrained),
        "checkpoint": Case([own(index, data)], _bytes_alone, weights),
        "saved_model": Case([folder_of(folder / "folder")], _structures, whole),
        "keras_saved_model": Case(
            [folder_of(legacy / "sequential_dense_saved_model"), *_programs("vectorized")],
            _structures,
            whole,
        ),
        "program": Case(
            [folder_of(exported), *_programs("text", "control", "session", "module")],
            _structures,
            _run_program,
        ),
        "onnx": Case([own("m.onnx")], _structures, whole),
        "pt2": Case([files_of(_REFERENCE / "files" / "onnx", "residual.pt2")], _members, whole),
        "onnx_program": Case(
            [files_of(_REFERENCE / "files" / "onnx", f"{name}.onnx") for name in _ONNX],
            _structures,
            _run_onnx,
        ),
        "tflite": Case(
            [
                own("m.tflite"),
                *_archived("tflite/2.21.zip", "mlp.tflite", "control.tflite", "cnn_int8.tflite"),
                *_archived("tflite/2.15.zip", "lstm.tflite"),
            ],
            _bytes_alone,
            _run_imported,
        ),
        "tfjs": Case(
            [
                folder_of(folder / "tfjs"),
                folder_of(folder / "tfjs_layers"),
                folder_of(_REFERENCE / "files" / "tfjs" / "steps"),
            ],
            _structures,
            _run_imported,
        ),
        "stablehlo": Case([*_programs("jax")], _modules, _run_program),
        "frozen_graph": Case([("graph.pb", {"graph.pb": frozen})], _structures, _run_program),
        "records": Case([own("some.records")], _records, _read_records, bytes.startswith),
        "data_set": Case(
            [folder_of(folder / "data"), folder_of(folder / "packed")], _records, _read_data_set
        ),
    }
