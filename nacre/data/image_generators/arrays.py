"""`NumpyArrayIterator`: batches of changed images of an array."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.core.config import floatx, standardize_data_format
from nacre.core.errors import ArgumentError, DataError, ShapeError, listed, message
from nacre.core.interop import to_numpy_if_foreign
from nacre.core.warning import warn
from nacre.data.image_generators.iterator import Array, Iterator, Random
from nacre.data.images import array_to_img

if TYPE_CHECKING:
    from nacre.data.image_generators.generator import ImageDataGenerator

_SUBSETS = ("training", "validation")


class ImageIterator(Iterator):
    """Batches of images that a generator changes, where there is one, and that are written to a
    folder where asked."""

    image_data_generator: ImageDataGenerator | None
    dtype: Any
    data_format: str
    save_to_dir: str | os.PathLike[str] | None
    save_prefix: str
    save_format: str
    _names_of_saved = 10_000  # how many numbers the end of a name is drawn from

    @property
    def _shares_numpy_random(self) -> bool:
        generator = self.image_data_generator
        if generator is None:
            return self._has_own_batches
        return self._has_own_batches or bool(
            generator.preprocessing_function is not None or _is_changed(generator)
        )

    def _changed(self, image: Array, random: Random) -> Array:
        """One image after the changes drawn for it, at its scale."""
        generator = self.image_data_generator
        if generator is None:
            return image
        if random is np.random:
            drawn = generator.get_random_transform(image.shape)
        else:
            drawn = generator._drawn(image.shape, random)
        return generator.standardize(generator.apply_transform(image, drawn))

    def _saved(self, batch: Array, index_array: Array, random: Random) -> None:
        if not self.save_to_dir:
            return
        for image, index in zip(batch, index_array, strict=True):
            end = random.randint(self._names_of_saved)
            name = f"{self.save_prefix}_{index}_{end}.{self.save_format}"
            picture = array_to_img(image, self.data_format, scale=True)
            picture.save(os.path.join(self.save_to_dir, name))


def _is_changed(generator: Any) -> bool:
    """Whether it is of a class outside, whose methods may draw from `np.random`."""
    return type(generator).__module__ != __name__.rpartition(".")[0] + ".generator"


def split_of(generator: ImageDataGenerator | None) -> float:
    """The share of the images that a generator holds out."""
    return 0.0 if generator is None else generator._validation_split


def require_subset(who: str, subset: Any, split: float) -> None:
    """Refuse a subset that there is not.

    Raises:
        ArgumentError: It is none, or nothing says what it is.
    """
    if subset is None:
        return
    if subset not in _SUBSETS:
        rule = "subset must be 'training' or 'validation'"
        raise ArgumentError(message(who, rule, repr(subset)))
    if not split:
        rule = "a subset needs the generator's validation_split: without, it would be all images"
        fix = "Give ImageDataGenerator(validation_split=0.2), the same for both subsets."
        raise ArgumentError(message(who, rule, f"subset={subset!r}, validation_split=0", fix))


class NumpyArrayIterator(ImageIterator):
    """Batches of the images of an array; see `ImageDataGenerator.flow`.

    Args:
        x, y, sample_weight: The images, with other arrays if there are some; labels and weights.
        image_data_generator: What changes them; None leaves them as they are.
        batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset,
            ignore_class_split: See `flow`.
        data_format, dtype: See `ImageDataGenerator`.

    Attributes:
        x, y: Images and labels of the subset.
        n: How many there are.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: ImageDataGenerator | None,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: Any = None,
    ) -> None:
        who = "NumpyArrayIterator"
        # A list is of images, or as a tuple of all images and other arrays.
        is_several = isinstance(x, tuple) or (isinstance(x, list) and x and np.ndim(x[0]) == 4)
        images, *others = x if is_several else (x,)
        if others and isinstance(others[0], list):
            others = others[0]
        self.dtype = np.dtype(dtype or floatx()).name
        self.data_format = standardize_data_format(data_format)
        self.image_data_generator = image_data_generator
        images = _array(images, who)
        if images.ndim != 4:
            rule = "x must be images: (images, height, width, channels)"
            fix = "Grey images need a channel: x[..., None]."
            raise ShapeError(message(who, rule, f"shape {images.shape}", fix))
        named = {
            "y": None if y is None else _array(y, who),
            "sample_weight": None if sample_weight is None else _array(sample_weight, who),
            **{f"x[{i}]": _array(other, who) for i, other in enumerate(others, 1)},
        }
        for name, array in named.items():
            if array is not None and len(array) != len(images):
                rule = f"there must be as many of {name} as images"
                raise DataError(message(who, rule, f"{len(array)} and {len(images)}"))
        split = split_of(image_data_generator)
        require_subset(who, subset, split)
        if subset is not None:
            cut = int(len(images) * split)
            if not ignore_class_split:
                _check_classes(who, named["y"], cut)
            part = slice(None, cut) if subset == "validation" else slice(cut, None)
            images = images[part]
            named = {name: None if a is None else a[part] for name, a in named.items()}
        self.x = images if images.dtype.kind != "O" else images.astype(self.dtype)
        self.y, self.sample_weight = named.pop("y"), named.pop("sample_weight")
        self.x_misc: list[Array] = [array for array in named.values() if array is not None]
        self.save_to_dir, self.save_prefix = save_to_dir, save_prefix
        self.save_format = save_format
        super().__init__(len(images), batch_size, shuffle, seed)

    def _transformed(self, index_array: Array, random: Random) -> Any:
        batch = np.empty((len(index_array), *self.x.shape[1:]), self.dtype)
        for place, index in enumerate(index_array):
            batch[place] = self._changed(self.x[index].astype(self.dtype), random)
        self._saved(batch, index_array, random)
        inputs = [batch, *(other[index_array] for other in self.x_misc)] if self.x_misc else batch
        if self.y is None:
            return inputs
        if self.sample_weight is None:
            return inputs, self.y[index_array]
        return inputs, self.y[index_array], self.sample_weight[index_array]


def _array(given: Any, who: str) -> Array:
    return np.asarray(to_numpy_if_foreign(given, who))


_FIX = "Shuffle images and labels before, or pass ignore_class_split=True."


def _check_classes(who: str, labels: Array | None, cut: int) -> None:
    if labels is None:
        return
    if _is_one_hot(labels):
        numbers = labels.argmax(-1).tolist()
        warn_of_unseen_classes(who, numbers[cut:], numbers[:cut], _FIX)
        return
    # Numbers with a fraction are no classes.
    if labels.dtype.kind == "f" and (labels != np.floor(labels)).any():
        return
    if np.array_equal(np.unique(labels[:cut]), np.unique(labels[cut:])):
        return
    rule = "both subsets must have the same classes"
    got = f"{len(np.unique(labels[cut:]))} for training, {len(np.unique(labels[:cut]))} to validate"
    raise DataError(message(who, rule, got, _FIX))


def _is_one_hot(labels: Array) -> bool:
    is_table = labels.ndim == 2 and labels.shape[1] > 1 and labels.dtype.kind in "biuf"
    return is_table and bool(
        ((labels == 1).sum(1) == 1).all() and ((labels != 0).sum(1) == 1).all()
    )


def warn_of_unseen_classes(
    who: str, trained: Sequence[Any], held_out: Sequence[Any], fix: str
) -> None:
    """Tell when a class has all of its images in the subset for validation: a model cannot learn
    it. The subsets are the first images and the others, so it is what sorted images give.

    Args:
        who: For the message.
        trained, held_out: The classes of the images of both subsets.
        fix: What to do.
    """
    counts = Counter(held_out)
    # The one image of a class may fall to either.
    unseen = [name for name in counts.keys() - set(trained) if counts[name] > 1]
    if unseen:
        rule = "the images for training must be of all classes: the first ones are for validation"
        names = listed([str(name) for name in sorted(unseen)], 5)
        got = f"none of {names}, which stand in the part for validation alone"
        warn(message(who, rule, got, fix))


__all__ = ["ImageIterator", "NumpyArrayIterator", "require_subset", "warn_of_unseen_classes"]
