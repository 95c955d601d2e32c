"""Write `toy/` and `read.json`: with tensorflow_datasets 4.9:

python -c "from tests.tf.prepared import make; make.main()"
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tests.tf.prepared.reading import asked, examples, slices

HERE = Path(__file__).parent
F = tfds.features
FEATURES = {
    "image": F.Image(shape=(4, 5, 3)),
    "jpeg": F.Image(shape=(None, None, 3), encoding_format="jpeg"),
    "gray": F.Image(shape=(None, None, 1)),
    "deep": F.Image(shape=(4, 4, 1), dtype=np.float32),
    "label": F.ClassLabel(names=["cat", "dog", "owl"]),
    "n": F.Scalar(np.int32),
    "f": np.float64,
    "flag": np.bool_,
    "text": F.Text(),
    "vec": F.Tensor(shape=(3,), dtype=np.float32),
    "mat": F.Tensor(shape=(2, 2), dtype=np.int64),
    "open": F.Tensor(shape=(None, 2), dtype=np.float32),
    "bytes8": F.Tensor(shape=(4,), dtype=np.uint8),
    "zipped": F.Tensor(shape=(2, 3), dtype=np.float32, encoding="zlib"),
    "raw": F.Tensor(shape=(2, 3), dtype=np.float64, encoding="bytes"),
    "seq": F.Sequence(np.int64),
    "seqlab": F.Sequence(F.ClassLabel(num_classes=4)),
    "fixed": F.Sequence(np.float32, length=2),
    "objects": F.Sequence(
        {"bbox": F.BBoxFeature(), "label": F.ClassLabel(names=["a", "b"]), "id": np.int64}
    ),
    "seqseq": F.Sequence(F.Sequence(np.int32)),
    "seqtext": F.Sequence(F.Text()),
    "seqseqtext": F.Sequence(F.Sequence(F.Text())),
    "seqvec": F.Sequence(F.Tensor(shape=(2,), dtype=np.float32)),
    "seqimg": F.Sequence(F.Image(shape=(2, 2, 3))),
    "nested": {"a": F.Text(), "b": {"c": np.int64, "d": F.Tensor(shape=(2,), dtype=np.float32)}},
    "audio": F.Audio(shape=(None,), sample_rate=8000),
    "video": F.Video(shape=(None, 4, 4, 3)),
    "bbox": F.BBoxFeature(),
    "tr": F.Translation(languages=["de", "en"]),
    "lt": F.LabeledImage(labels=3, shape=(2, 2, 1)),
    "strs": F.Tensor(shape=(2,), dtype=np.object_),
}


def example(i: int) -> dict[str, Any]:
    """The values of one example."""
    r, k = np.random.RandomState(i), i % 3
    pixels = lambda *shape: r.randint(0, 256, shape).astype("uint8")
    return {
        "image": pixels(4, 5, 3),
        "jpeg": pixels(6 + k, 5, 3),
        "gray": pixels(3, 4, 1),
        "deep": r.rand(4, 4, 1).astype("float32"),
        "label": k,
        "n": i - 5,
        "f": i / 3,
        "flag": bool(i % 2),
        "text": f"héllo {i}",
        "vec": r.rand(3).astype("float32"),
        "mat": r.randint(0, 99, (2, 2)),
        "open": r.rand(k, 2).astype("float32"),
        "bytes8": np.arange(i, i + 4, dtype="uint8"),
        "zipped": r.rand(2, 3).astype("float32"),
        "raw": r.rand(2, 3),
        "seq": list(range(k)),
        "seqlab": [3] * k,
        "fixed": [1.5, i],
        "objects": [{"bbox": F.BBox(0.1, 0.2, 0.5, 0.6), "label": "b", "id": j} for j in range(k)],
        "seqseq": [list(range(j)) for j in range(k + 1)],
        "seqtext": ["a"] * k,
        "seqseqtext": [["x", "y"][:j] for j in range(k)],
        "seqvec": r.rand(k, 2).astype("float32"),
        "seqimg": [pixels(2, 2, 3) for _ in range(k)],
        "nested": {"a": "q", "b": {"c": i, "d": [1.0, 2.0]}},
        "audio": r.randint(-9, 9, (5 + k,)),
        "video": pixels(k + 1, 4, 4, 3),
        "bbox": F.BBox(0.0, 0.1, 0.2, 0.3),
        "tr": {"de": "ja", "en": "yes"},
        "lt": r.randint(0, 3, (2, 2, 1)).astype("uint8"),
        "strs": ["p", "q"],
    }


class Toy(tfds.core.GeneratorBasedBuilder):
    """Every kind of feature, a few times."""

    VERSION = tfds.core.Version("1.2.0")

    def _info(self) -> Any:
        return self.dataset_info_from_configs(
            features=F.FeaturesDict(FEATURES),
            supervised_keys=("image", "label"),
            description="Toy set.",
            homepage="http://example.org",
            citation="@x",
        )

    def _split_generators(self, dl_manager: Any) -> Any:
        return {"train": self._generate_examples(0, 11), "test": self._generate_examples(11, 15)}

    def _generate_examples(self, first: int, last: int) -> Iterator[Any]:
        yield from ((i, example(i)) for i in range(first, last))


def main() -> None:
    """Prepare the folder, read it, and keep what was read."""
    Toy(data_dir=str(HERE)).download_and_prepare()
    read = {
        "examples": examples(tfds, HERE),
        "slices": slices(tfds, HERE),
        "asked": asked(tfds, HERE),
    }
    text = json.dumps(read, default=lambda x: x.decode() if isinstance(x, bytes) else str(x))
    (HERE / "read.json").write_text(text + "\n")
