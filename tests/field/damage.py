"""Damaged model files: seeded mutations of small files of each kind, opened one after the other.

What may come out is an error of nacre's that names the file, or a model. Nothing may hang, no
exception of a library may come through, and where a file holds checksums, no other numbers.

    python -m tests.field.damage --cases 2000 --reader h5

runs many in a process of its own, which is ended and started anew when a case takes too long.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

SECONDS_A_CASE = 60  # the first case waits for the imports, on a busy machine
READERS = (
    "keras", "keras_inside", "h5", "weights_h5", "legacy_h5", "shards", "safetensors", "npz",
    "config_json",
)  # fmt: skip
# Files that say by themselves when a bit of them has changed.
HAS_CHECKSUMS = ("keras", "h5", "weights_h5", "legacy_h5", "shards", "safetensors", "npz")

# -------------------------------------------------------------------- mutations


def mutate(content: bytes, random: Random) -> bytes:
    """Damage bytes in one to four places, the way disks, networks and people do."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if not data:
            break
        at = random.randrange(len(data))
        kind = random.randrange(9)
        if kind in (0, 1):
            data[at] ^= 1 << random.randrange(8)
        elif kind == 2:
            data[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 3:
            length = random.choice((2, 4, 8, 64))
            data[at : at + length] = bytes([random.choice((0, 0xFF))]) * length
        elif kind == 4:
            length = random.choice((4, 8))
            data[at : at + length] = random.randbytes(length)
        elif kind == 5:
            del data[at : at + random.randrange(1, 9)]
        elif kind == 6:
            data[at:at] = random.randbytes(random.randrange(1, 9))
        elif kind == 7:
            source = random.randrange(len(data))
            length = random.choice((8, 16, 64))
            data[at : at + length] = data[source : source + length]
        elif random.random() < 0.3:
            del data[at:]
        else:  # where structures are: not among zeros
            places = [i for i in range(at, min(at + 4000, len(data))) if data[i]]
            if places:
                data[random.choice(places)] ^= 1 << random.randrange(8)
    return bytes(data)


_STRANGE = (
    None, True, -1, 0, 1.5, 2**70, float("nan"), "", "x", "\x1b]0;x\x07", [], [[]], {}, {"a": 1},
    {"class_name": "Dense", "config": {}}, {"class_name": "__tensor__", "config": {}}, "\ud800",
)  # fmt: skip


def mutate_json(text: str, random: Random) -> str:
    """Replace, delete or double a value somewhere in a tree of JSON."""
    tree = json.loads(text)
    places: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        keys = (
            node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        )
        for key in keys:
            places.append((node, key))
            visit(node[key])

    visit(tree)
    for _ in range(random.choice((1, 1, 2))):
        node, key = random.choice(places)
        try:
            kind = random.randrange(4)
            if kind == 0:
                del node[key]
            elif kind == 1 and isinstance(node, dict):
                node[f"{key}x"] = node.pop(key)
            else:
                node[key] = random.choice(_STRANGE)
        except (KeyError, IndexError):
            continue
    return json.dumps(tree)


def repacked(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """A zip archive with changed members, whose checksums fit them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return buffer.getvalue()


# -------------------------------------------------------------------- readers


@dataclass
class Case:
    """A reader's files, how they are damaged, and how they are opened.

    Attributes:
        files: name -> content; the first is the one to open.
        damage: From the files and a generator to damaged files.
        open: From the path to the numbers found, as bytes.
        numbers: What the undamaged file gives.
    """

    files: dict[str, bytes]
    damage: Callable[[dict[str, bytes], Random], dict[str, bytes]]
    open: Callable[[Path], bytes]
    numbers: bytes = b""


def _damage_one(files: dict[str, bytes], random: Random) -> dict[str, bytes]:
    chosen = random.choice(list(files))
    return {**files, chosen: mutate(files[chosen], random)}


def _damage_inside(files: dict[str, bytes], random: Random) -> dict[str, bytes]:
    (name, content), chosen = next(iter(files.items())), random.choice((".json", ".h5", "config."))

    def change(member: str, inner: bytes) -> bytes:
        if chosen not in member:
            return inner
        if chosen == "config.":
            return mutate_json(inner.decode(), random).encode()
        return mutate(inner, random)

    return {name: repacked(content, change)}


def _damage_json(files: dict[str, bytes], random: Random) -> dict[str, bytes]:
    name, content = next(iter(files.items()))
    if random.random() < 0.7:
        return {name: mutate_json(content.decode(), random).encode()}
    return {name: mutate(content, random)}


def _numbers(model: Any) -> bytes:
    """Config and weights."""
    config = json.dumps(model.get_config(), sort_keys=True, default=str).encode()
    return config + b"".join(w.tobytes() for w in model.get_weights())


def make_cases(folder: Path) -> dict[str, Case]:
    """The files of each reader, made in `folder`."""
    import nacre

    def small() -> Any:
        layers = [nacre.Input((3,)), nacre.layers.Dense(4, "relu", name="a"), nacre.layers.Dense(2)]
        model = nacre.Sequential(layers, name="m")
        model.compile("adam", "mse")
        return model

    nacre.utils.set_random_seed(0)
    model, target = small(), small()
    model.save(folder / "m.keras")
    model.save(folder / "m.h5")
    model.save_weights(folder / "w.weights.h5")
    model.save_weights(folder / "w.h5")
    model.save_weights(folder / "w.safetensors")
    model.save_weights(folder / "w.npz")
    model.save_weights(folder / "s.weights.json", max_shard_size=80 / 1024**3)
    (folder / "c.json").write_text(model.to_json())

    def whole(path: Path) -> bytes:
        return _numbers(nacre.models.load_model(path))

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

    def files(*names: str) -> dict[str, bytes]:
        return {name: (folder / name).read_bytes() for name in names}

    shards = sorted(p.name for p in folder.glob("s*") if p.name != "s.weights.json")
    return {
        "keras": Case(files("m.keras"), _damage_one, whole),
        "keras_inside": Case(files("m.keras"), _damage_inside, whole),
        "h5": Case(files("m.h5"), _damage_one, whole),
        "weights_h5": Case(files("w.weights.h5"), _damage_one, weights),
        "legacy_h5": Case(files("w.h5"), _damage_one, weights),
        "safetensors": Case(files("w.safetensors"), _damage_one, weights),
        "npz": Case(files("w.npz"), _damage_one, weights),
        "shards": Case(files("s.weights.json", *shards), _damage_one, weights),
        "config_json": Case(files("c.json"), _damage_json, from_json),
    }


def try_one(reader: str, case: Case, seed: int, folder: Path) -> str:
    """Open one damaged set of files: 'ok', 'same', 'refused', or what went wrong."""
    from nacre.core.errors import NacreError

    files = case.damage(case.files, Random(f"{reader} {seed}"))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    first = next(iter(files))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            numbers = case.open(folder / first)
    except NacreError as error:
        text = str(error)
        if reader != "config_json" and not any(name in text for name in files):
            return f"names no file: {text[:200]}"
        if any(ord(c) < 32 and c != "\n" for c in text):
            return f"control characters: {text!r}"
        return "refused"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-3:]
        where = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(last))
        return f"raw {type(error).__name__}: {str(error)[:120]!r} at {where}"
    if reader in HAS_CHECKSUMS and numbers != case.numbers:
        return "other numbers in silence"
    return "opened"


def run(todo: list[tuple[str, int]], progress: Path) -> None:
    """Try cases and write a line each to `progress`: reader, seed, outcome."""
    with (
        tempfile.TemporaryDirectory() as made,
        tempfile.TemporaryDirectory() as folder,
        open(progress, "a", buffering=1) as out,
    ):
        cases = make_cases(Path(made))
        for reader, seed in todo:
            case = cases[reader]
            if not case.numbers:
                for name, content in case.files.items():
                    (Path(folder) / name).write_bytes(content)
                case.numbers = case.open(Path(folder) / next(iter(case.files)))
            out.write(try_one(reader, case, seed, Path(folder)).replace("\n", " ") + "\n")


def outcomes(readers: list[str], first: int, last: int) -> dict[tuple[str, int], str]:
    """Try the cases in a process of their own; one that hangs or ends the process is an outcome."""
    todo = [(reader, seed) for reader in readers for seed in range(first, last)]
    found: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        while len(found) < len(todo):
            progress = Path(folder) / str(len(found))
            done, ending = _run_part(readers, first, last, len(found), progress)
            found += done if len(found) + len(done) == len(todo) else [*done, ending]
    return dict(zip(todo, found, strict=True))


def _run_part(
    readers: list[str], first: int, last: int, skipped: int, progress: Path
) -> tuple[list[str], str]:
    """The outcomes up to the end, or to a case that did not come back, and what became of that."""
    command = [sys.executable, "-m", "tests.field.damage", "--worker", str(progress)]
    command += [f"--reader={reader}" for reader in readers]
    command += ["--first", str(first), "--cases", str(last - first), "--skip", str(skipped)]
    progress.touch()
    with subprocess.Popen(command, env={**os.environ, "JAX_PLATFORMS": "cpu"}) as process:
        seen, since = 0, time.monotonic()
        while process.poll() is None:
            time.sleep(0.05)
            size = progress.stat().st_size
            if size != seen:
                seen, since = size, time.monotonic()
            elif time.monotonic() - since > SECONDS_A_CASE:
                process.kill()
    ending = f"the process ended with {process.returncode}"
    if process.returncode == -9:
        ending = f"hung for {SECONDS_A_CASE} s"
    return progress.read_text().splitlines(), ending


def is_allowed(outcome: str) -> bool:
    """Whether a damaged file came out as it may."""
    return outcome in ("refused", "opened")


def main() -> int:
    """Count the outcomes and print those that must not be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reader", choices=READERS, action="append")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--skip", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    readers, last = arguments.reader or list(READERS), arguments.first + arguments.cases
    if arguments.worker:
        todo = [(reader, seed) for reader in readers for seed in range(arguments.first, last)]
        run(todo[arguments.skip :], arguments.worker)
        return 0
    bad = 0
    for reader in readers:
        found = outcomes([reader], arguments.first, last)
        wrong = {seed: text for (_, seed), text in found.items() if not is_allowed(text)}
        refused = sum(text == "refused" for text in found.values())
        print(f"{reader}: {len(found)} files, {refused} refused, {len(wrong)} wrong", flush=True)
        for seed, text in wrong.items():
            print(f"  {seed}: {text}")
        bad += len(wrong)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
