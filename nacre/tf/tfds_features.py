"""`tfds.features`: what the parts of examples are, and how records of folders hold them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Several
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError, UnsupportedError, listed, message
from nacre.data import Ragged, TensorSpec
from nacre.data.dataset.elements import sealed
from nacre.data.dataset.spec import RaggedSpec
from nacre.tf.dtypes import DType, as_dtype

Sizes = tuple[int | None, ...]
Values = Mapping[str, np.ndarray]  # what a record holds, by name


class Feature:
    """A part of an example.

    Attributes:
        shape: Its sizes, None for those that vary.
        dtype: Its dtype.
    """

    shape: Sizes = ()
    dtype: DType

    @property
    def spec(self) -> Any:
        """What data sets know of it."""
        return TensorSpec(self.shape, self.dtype.name)

    def read(self, values: Values, key: str) -> Any:
        """Its value in a record.

        Args:
            values: What the record holds.
            key: The name there.
        """
        return sealed(self._one(values.get(key, _NOTHING), key))

    def read_raw(self, values: Values, key: str) -> Any:
        """The bytes that the value is decoded from, for `SkipDecoding`."""
        return sealed(_only(values.get(key, _NOTHING), key))

    def _one(self, items: np.ndarray, key: str) -> np.ndarray:
        raise NotImplementedError

    def _many(self, items: np.ndarray, key: str) -> np.ndarray:
        """Values one after another, along a first axis."""
        each = [self._one(items[i : i + 1], key) for i in range(len(items))]
        if len({value.shape for value in each}) > 1:
            rule = "the values of a sequence must have one shape"
            got = f"shapes {sorted({value.shape for value in each})}"
            raise DataError(message(f"tfds feature '{key}'", rule, got))
        return np.stack(each) if each else np.empty((0, *_least(self.shape)), _kind(self.dtype))


_NOTHING = np.empty(0, object)


def _least(shape: Sizes) -> tuple[int, ...]:
    return tuple(0 if size is None else size for size in shape)


def _kind(dtype: DType) -> Any:
    return object if dtype.name == "string" else dtype._dtype


def _only(items: np.ndarray, key: str) -> np.ndarray:
    """The one value of a list, as an array without axes."""
    if len(items) != 1:
        rule = "a record must hold one value of it"
        raise DataError(message(f"tfds feature '{key}'", rule, f"{len(items)}"))
    return items.reshape(())


class Tensor(Feature):
    """Numbers or strings of a shape.

    Args:
        shape: The sizes, None for one that varies.
        dtype: Their dtype.
        encoding: 'none', or 'bytes' and 'zlib', where a record holds them as bytes.
        doc, kwargs: Accepted for compatibility.
    """

    def __init__(
        self, *, shape: Any, dtype: Any, encoding: Any = "none", doc: Any = None, **kwargs: Any
    ) -> None:
        self.shape, self.dtype = tuple(shape), _dtype(dtype)
        self.encoding = str(getattr(encoding, "value", encoding)).lower()

    def read(self, values: Values, key: str) -> Any:
        """Its value in a record; several sizes that vary stand beside the bytes."""
        if f"{key}/shape" in values:
            sizes = values[f"{key}/shape"].tolist()
            return sealed(self._of_bytes(_only(values[f"{key}/value"], key).item(), sizes))
        return super().read(values, key)

    def _one(self, items: np.ndarray, key: str) -> np.ndarray:
        if self.encoding != "none":
            return self._of_bytes(_only(items, key).item(), self.shape)
        return self._shaped(items, self.shape, key)

    def _many(self, items: np.ndarray, key: str) -> np.ndarray:
        if self.encoding != "none" or None in self.shape:
            return super()._many(items, key)
        return self._shaped(items, (None, *self.shape), key)

    def _of_bytes(self, data: bytes, sizes: Any) -> np.ndarray:
        data = zlib.decompress(data) if self.encoding == "zlib" else data
        found = np.frombuffer(data, _kind(self.dtype))
        return found.reshape([-1 if size is None else size for size in sizes])

    def _shaped(self, items: np.ndarray, shape: Sizes, key: str) -> np.ndarray:
        known = math.prod(size for size in shape if size is not None)
        if shape.count(None) > 1 or (None in shape and known and items.size % known):
            raise _no_fit(key, items, shape)
        if None not in shape and items.size != known:
            raise _no_fit(key, items, shape)
        sizes = [-1 if size is None else size for size in shape]
        if items.size == 0:
            return np.empty(_least(shape), _kind(self.dtype))
        return items.reshape(sizes).astype(_kind(self.dtype))


def _no_fit(key: str, items: np.ndarray, shape: Sizes) -> DataError:
    rule = f"a record must hold values of shape {shape}"
    return DataError(message(f"tfds feature '{key}'", rule, f"{items.size} values"))


def _dtype(value: Any) -> DType:
    if value in (str, np.str_, object, np.object_):
        return as_dtype("string")
    return as_dtype(getattr(value, "name", value))


class Scalar(Tensor):
    """One number.

    Args:
        dtype: Its dtype.
        kwargs: As `Tensor`.
    """

    def __init__(self, dtype: Any, **kwargs: Any) -> None:
        super().__init__(shape=(), dtype=dtype, **kwargs)


class Text(Tensor):
    """A text, as bytes.

    Args:
        kwargs: Accepted for compatibility.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(shape=(), dtype="string")


class ClassLabel(Tensor):
    """The number of a class.

    Args:
        num_classes: How many classes there are.
        names: Their names.
        names_file: A file with a name a line.
        doc: Accepted for compatibility.

    Example:
        >>> label = ClassLabel(names=["cat", "dog"])
        >>> label.num_classes, label.str2int("dog"), label.int2str(0)
        (2, 1, 'cat')
    """

    def __init__(
        self, *, num_classes: int | None = None, names: Any = None, names_file: Any = None,
        doc: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(shape=(), dtype="int64")
        if names_file is not None:
            lines = Path(names_file).read_text(encoding="utf-8").split("\n")
            names = [line.strip() for line in lines if line.strip()]
        self._names = None if names is None else [str(name) for name in names]
        self.num_classes = num_classes if self._names is None else len(self._names)

    @property
    def names(self) -> list[str]:
        """The names of the classes; their numbers where they have no names."""
        if self._names is None:
            return [str(number) for number in range(self.num_classes or 0)]
        return self._names

    def int2str(self, int_value: Any) -> str:
        """The name of a class."""
        number = int(int_value)
        if not 0 <= number < len(self.names):
            rule = f"a class must be from 0 to {len(self.names) - 1}"
            raise ArgumentError(message("ClassLabel.int2str", rule, f"{number}"))
        return self.names[number]

    def str2int(self, str_value: str) -> int:
        """The number of a class."""
        if str_value not in self.names:
            rule = f"the classes are {listed(self.names)}"
            raise ArgumentError(message("ClassLabel.str2int", rule, repr(str_value)))
        return self.names.index(str_value)


class Image(Feature):
    """A picture, PNG or JPEG in the record.

    Args:
        shape: Height, width and channels, None for what varies; by default (None, None, 3).
        dtype: uint8, uint16, or float32 of one channel.
        encoding_format: 'png' or 'jpeg'; by default what the bytes are.
        use_colormap, doc: Accepted for compatibility.

    Precision:
        Of JPEG, pixels may lie up to 6 beside TensorFlow's (measured on noise): another decoder.
    """

    def __init__(
        self, *, shape: Any = None, dtype: Any = "uint8", encoding_format: str | None = None,
        use_colormap: bool = False, doc: Any = None,
    ) -> None:  # fmt: skip
        self.shape = (None, None, 3) if shape is None else tuple(shape)
        self.dtype, self.encoding_format = _dtype(dtype), encoding_format

    def _one(self, items: np.ndarray, key: str) -> np.ndarray:
        found = self._decoded(_only(items, key).item())
        fits = all(size in (None, have) for size, have in zip(self.shape, found.shape))
        if found.ndim != len(self.shape) or not fits:
            rule = f"pictures must be of shape {self.shape}"
            raise DataError(message(f"tfds feature '{key}'", rule, f"{found.shape}"))
        return found

    def _decoded(self, data: bytes) -> np.ndarray:
        from nacre.tf.nodes import node

        if self.dtype.name == "float32":  # the four bytes of a number are the channels of a pixel
            pixels = np.asarray(node("DecodePng")(np.asarray(data, object), channels=4, dtype=_U8))
            return np.ascontiguousarray(pixels).view(np.float32)
        read = node("DecodeImage")
        channels = self.shape[-1] or 0
        wanted = as_dtype("uint16") if self.dtype.name == "uint16" else _U8
        found = read(
            np.asarray(data, object), channels=channels, dtype=wanted, expand_animations=False
        )
        return np.asarray(found).astype(_kind(self.dtype))


_U8 = as_dtype("uint8")


class LabeledImage(Image):
    """A picture whose pixels are classes.

    Args:
        labels: How many classes there are, or their names.
        shape, kwargs: As `Image`.
    """

    def __init__(self, *, labels: Any, shape: Any = None, **kwargs: Any) -> None:
        super().__init__(shape=shape, **kwargs)
        self._label = ClassLabel(
            **({"num_classes": labels} if isinstance(labels, int) else {"names": labels})
        )
        self.names, self.num_classes = self._label.names, self._label.num_classes


class Video(Feature):
    """Pictures one after another.

    Args:
        shape: Count, height, width and channels, None for what varies.
        encoding_format: 'png' or 'jpeg'.
        kwargs: Accepted for compatibility.
    """

    def __init__(self, shape: Any, encoding_format: str = "png", **kwargs: Any) -> None:
        self.shape, self.dtype = tuple(shape), _U8
        self._picture = Image(shape=self.shape[1:], encoding_format=encoding_format)

    def _one(self, items: np.ndarray, key: str) -> np.ndarray:
        return self._picture._many(items, key)

    def read_raw(self, values: Values, key: str) -> Any:
        """The bytes of its pictures."""
        return sealed(values.get(key, _NOTHING))


class Audio(Tensor):
    """A sound's numbers.

    Args:
        shape: Its sizes, None for its length.
        dtype: Their dtype.
        sample_rate: How many are a second.
        encoding: As `Tensor`.
        kwargs: Accepted for compatibility.
    """

    def __init__(
        self, *, shape: Any = (None,), dtype: Any = "int64", sample_rate: int | None = None,
        encoding: Any = "none", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(shape=shape, dtype=dtype, encoding=encoding)
        self.sample_rate = sample_rate


class BBoxFeature(Tensor):
    """A box: ymin, xmin, ymax, xmax, as shares of the picture.

    Args:
        bbox_format, doc: Accepted for compatibility.
    """

    def __init__(self, bbox_format: Any = None, doc: Any = None) -> None:
        super().__init__(shape=(4,), dtype="float32")


class FeaturesDict(Feature):
    """Parts by name.

    Args:
        feature_dict: Their features, dicts and dtypes.
        doc: Accepted for compatibility.
    """

    def __init__(self, feature_dict: Mapping[str, Any], doc: Any = None) -> None:
        self._features = {name: _feature(part) for name, part in feature_dict.items()}

    @property
    def shape(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleVariableOverride] - of each part
        """The shapes of the parts."""
        return {name: part.shape for name, part in self.items()}

    @property
    def dtype(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleVariableOverride] - of each part
        """The dtypes of the parts."""
        return {name: part.dtype for name, part in self.items()}

    @property
    def spec(self) -> dict[str, Any]:
        """What data sets know of the parts."""
        return {name: part.spec for name, part in self.items()}

    def read(self, values: Values, key: str) -> dict[str, Any]:
        """The values of the parts in a record."""
        return {name: part.read(values, joined(key, name)) for name, part in self.items()}

    def items(self) -> Any:
        """Names and features."""
        return self._features.items()

    def keys(self) -> Any:
        """The names."""
        return self._features.keys()

    def values(self) -> Any:
        """The features."""
        return self._features.values()

    def __getitem__(self, name: str) -> Any:
        return self._features[name]

    def __contains__(self, name: object) -> bool:
        return name in self._features

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)


class Translation(FeaturesDict):
    """A text in several languages.

    Args:
        languages: Their names.
        encoder, encoder_config, doc: Accepted for compatibility.
    """

    def __init__(
        self, languages: Several[str], encoder: Any = None, encoder_config: Any = None,
        doc: Any = None,
    ) -> None:  # fmt: skip
        super().__init__({language: Text() for language in languages})
        self.languages = list(languages)


class Sequence(Feature):
    """Values one after another; of a dict, a sequence of each of its parts.

    Args:
        feature: What they are.
        length: How many; None where it varies.
        doc: Accepted for compatibility.
    """

    def __init__(self, feature: Any, length: int | None = None, doc: Any = None) -> None:
        self.feature = _feature(feature)
        self._length = None if length in (None, -1) else length

    @property
    def _parts(self) -> dict[str, Sequence] | None:
        inner = self.feature
        if not isinstance(inner, FeaturesDict):
            return None
        return {name: Sequence(part, self._length) for name, part in inner.items()}

    def __getitem__(self, name: str) -> Any:
        inner: Any = self.feature
        return inner[name]

    @property
    def shape(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride] - of each part
        """The sizes, or those of each part."""
        parts = self._parts
        if parts is not None:
            return {name: part.shape for name, part in parts.items()}
        return (self._length, *self.feature.shape)

    @property
    def dtype(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride] - of each part
        """The dtype, or those of each part."""
        parts = self._parts
        if parts is not None:
            return {name: part.dtype for name, part in parts.items()}
        return self.feature.dtype

    @property
    def spec(self) -> Any:
        """What data sets know of it: rows of different lengths where sequences hold sequences."""
        parts = self._parts
        if parts is not None:
            return {name: part.spec for name, part in parts.items()}
        kind = RaggedSpec if isinstance(self.feature, Sequence) else TensorSpec
        return kind(self.shape, self.dtype.name)

    def read(self, values: Values, key: str) -> Any:
        """Its values in a record."""
        parts = self._parts
        if parts is not None:
            return {name: part.read(values, joined(key, name)) for name, part in parts.items()}
        if isinstance(self.feature, Sequence):
            return self._ragged(values, key)
        return sealed(self.feature._many(values.get(key, _NOTHING), key))

    def read_raw(self, values: Values, key: str) -> Any:
        """The bytes that its values are decoded from."""
        return sealed(values.get(key, _NOTHING))

    def _ragged(self, values: Values, key: str) -> Any:
        depth, inner = 0, self.feature
        while isinstance(inner, Sequence):
            depth, inner = depth + 1, inner.feature
        if isinstance(inner, FeaturesDict):
            rule = "sequences of sequences of dicts are not read"
            raise UnsupportedError(message(f"tfds feature '{key}'", rule, "one"))
        flat = values.get(f"{key}/ragged_flat_values", _NOTHING)
        found: Any = inner._many(flat, key)
        for level in reversed(range(depth)):
            lengths = values.get(f"{key}/ragged_row_lengths_{level}", _NOTHING).astype(np.int64)
            found = Ragged(found, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))
        return found


def _feature(value: Any) -> Feature:
    """A feature of what may stand in its place: a dict, a dtype."""
    if isinstance(value, Feature):
        return value
    return FeaturesDict(value) if isinstance(value, Mapping) else Scalar(value)


def joined(key: str, name: str) -> str:
    """The name of a part in records."""
    return f"{key}/{name}" if key else name


# --- from features.json ---------------------------------------------------------------------------


def of_json(content: Mapping[str, Any], folder: Path, key: str = "") -> Feature:
    """The feature that a `features.json` tells of.

    Args:
        content: What the file says of it.
        folder: The folder, which has files with the names of classes.
        key: Its name within the example.

    Raises:
        UnsupportedError: It is of a kind that is not read.
    """
    kind = next((name for name in _KINDS if name in content), None)
    if kind is None:
        told = content.get("pythonClassName") or content.get("type") or "nothing"
        rule = f"'{folder / 'features.json'}' must tell of features that are here"
        fix = "Read its files with tf.data.TFRecordDataset and tf.io.parse_single_example."
        raise UnsupportedError(message(f"tfds feature '{key}'", rule, str(told), fix))
    return _KINDS[kind](content[kind], folder, key)


def _sizes(content: Mapping[str, Any]) -> Sizes:
    """Sizes; -1 for what varies."""
    sizes = [int(size) for size in content.get("shape", {}).get("dimensions", ())]
    return tuple(None if size < 0 else size for size in sizes)


def _of_dict(content: Any, folder: Path, key: str) -> Feature:
    parts = content.get("features", {})
    return FeaturesDict(
        {name: of_json(part, folder, joined(key, name)) for name, part in parts.items()}
    )


def _of_tensor(content: Any, folder: Path, key: str) -> Feature:
    encoding = content.get("encoding", "none") or "none"
    return Tensor(shape=_sizes(content), dtype=content["dtype"], encoding=encoding)


def _of_label(content: Any, folder: Path, key: str) -> Feature:
    file = folder / f"{key.replace('/', '-')}.labels.txt"
    if file.is_file():
        return ClassLabel(names_file=file)
    return ClassLabel(num_classes=int(content.get("numClasses", 0)))


def _of_image(content: Any, folder: Path, key: str) -> Feature:
    told = {"shape": _sizes(content) or None, "dtype": content.get("dtype") or "uint8"}
    told["encoding_format"] = content.get("encodingFormat") or None
    if "label" in content:
        return LabeledImage(labels=int(content["label"].get("numClasses", 0)), **told)
    return Image(**told)


def _of_video(content: Any, folder: Path, key: str) -> Feature:
    return Video(_sizes(content), content.get("encodingFormat") or "png")


def _of_audio(content: Any, folder: Path, key: str) -> Feature:
    rate = int(content["sampleRate"]) if "sampleRate" in content else None
    return Audio(
        shape=_sizes(content) or (None,),
        dtype=content.get("dtype") or "int64",
        sample_rate=rate,
        encoding=content.get("encoding") or "none",
    )


def _of_sequence(content: Any, folder: Path, key: str) -> Feature:
    return Sequence(of_json(content["feature"], folder, key), int(content.get("length", -1)))


_KINDS: dict[str, Callable[[Any, Path, str], Feature]] = {
    "featuresDict": _of_dict,
    "tensor": _of_tensor,
    "classLabel": _of_label,
    "image": _of_image,
    "video": _of_video,
    "audio": _of_audio,
    "sequence": _of_sequence,
    "boundingBox": lambda content, folder, key: BBoxFeature(),
    "text": lambda content, folder, key: Text(),
    "translation": lambda content, folder, key: Translation(content["languages"]),
}

__all__ = [
    "Audio", "BBoxFeature", "ClassLabel", "FeaturesDict", "Image", "LabeledImage", "Scalar",
    "Sequence", "Tensor", "Text", "Translation", "Video",
]  # fmt: skip
