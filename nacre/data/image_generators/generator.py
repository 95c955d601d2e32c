"""`ImageDataGenerator`: which changes images go through, and the batches of changed images."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nacre.core.config import floatx, standardize_data_format
from nacre.core.errors import (
    ArgumentError,
    ShapeError,
    message,
    refuse_unknown,
)
from nacre.core.numbers import number, whole_number
from nacre.core.warning import warn
from nacre.data.image_generators.affine import apply_affine_transform, require_fill
from nacre.data.image_generators.arrays import NumpyArrayIterator
from nacre.data.image_generators.colors import apply_brightness_shift, apply_channel_shift
from nacre.data.image_generators.directory import DirectoryIterator
from nacre.data.image_generators.frame import DataFrameIterator
from nacre.data.image_generators.iterator import Array, Random

_EPSILON = 1e-6  # added to standard deviations, as in tf.keras
_AFFINE = ("theta", "tx", "ty", "shear", "zx", "zy")
_PARAMETERS = (
    *_AFFINE, "flip_horizontal", "flip_vertical", "channel_shift_intensity", "brightness",
)  # fmt: skip


class ImageDataGenerator:
    """Batches of images, each changed at random and brought to a scale.

    Choose `image_dataset_from_directory` and layers such as `RandomFlip` for new code: they run
    faster, and the layers are saved with the model. This is for scripts that have it.

    Args:
        featurewise_center, featurewise_std_normalization: Whether the mean of each channel over all
            images that `fit` saw is taken away, and its standard deviation divided by.
        samplewise_center, samplewise_std_normalization: The same with those of each image alone.
        zca_whitening: Whether pixels are made independent of one another, by what `fit` saw.
        zca_epsilon: Added to the variances it divides by.
        rotation_range: The largest turn, in degrees.
        width_shift_range, height_shift_range: The largest move: a share of the size under 1, pixels
            from 1 on, whole ones for an int; or a list of pixels to choose from.
        brightness_range: (least, most) that colors from 0 to 255 are multiplied by.
        shear_range: The largest angle of shear, in degrees.
        zoom_range: (least, most), or z for (1 - z, 1 + z): under 1 the image grows.
        channel_shift_range: The largest number that is added to all channels.
        fill_mode, cval: What is outside of the image, see `apply_affine_transform`.
        horizontal_flip, vertical_flip: Whether half of the images are mirrored.
        rescale: What colors are multiplied by, after all else.
        preprocessing_function: A function of an image (an array of three axes), called when it has
            been changed and before it is brought to a scale; its result has the same shape.
        data_format: 'channels_last' or 'channels_first'; `nacre.config.image_data_format()` by
            default.
        validation_split: Share of the images that `subset="validation"` gives, the first ones (of
            each folder); `subset="training"` gives the others.
        interpolation_order: Of the splines that changed pixels are made with.
        dtype: Of batches, `nacre.config.floatx()` by default.

    Attributes:
        mean, std: Of each channel, once `fit` has seen images.
        zca_whitening_matrix: (pixels, pixels), once `fit` has seen images.

    Raises:
        ArgumentError: An argument breaks its rule.

    Source: tf.keras 2.15, whose draws and pixels for a seed were compared. Differs: it moves images
    along the width by `height_shift_range` and along the height by `width_shift_range`, and turns
    those that are not square around a place beside their middle; here both are as they are called.
    A subset without `validation_split`, which gave all images to both, is refused; so are unknown
    names of changes, and brightness of colors that are not from 0 to 255. `fit` measures images
    after `preprocessing_function` and `samplewise_center`, as they are when its numbers are used,
    there after `rescale` alone. Arrays that are given
    stay as they are.

    Example:
        >>> import numpy as np
        >>> images, labels = np.zeros((5, 8, 8, 3)), np.arange(5)
        >>> generator = ImageDataGenerator(rotation_range=20, horizontal_flip=True, rescale=1 / 255)
        >>> batches = generator.flow(images, labels, batch_size=2, seed=1)
        >>> len(batches), batches[0][0].shape
        (3, (2, 8, 8, 3))
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[Array], Any] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
    ) -> None:
        self.featurewise_center, self.samplewise_center = featurewise_center, samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range = number(_WHO, "rotation_range", rotation_range)
        self.width_shift_range = _shifts("width_shift_range", width_shift_range)
        self.height_shift_range = _shifts("height_shift_range", height_shift_range)
        self.shear_range = number(_WHO, "shear_range", shear_range)
        self.zoom_range = _zoom_range(zoom_range)
        self.brightness_range = brightness_range
        if brightness_range is not None and np.shape(brightness_range) != (2,):
            rule = "brightness_range must be two numbers, such as (0.5, 1.5)"
            raise ArgumentError(message(_WHO, rule, repr(brightness_range)[:60]))
        self.channel_shift_range = number(_WHO, "channel_shift_range", channel_shift_range)
        require_fill(_WHO, fill_mode, interpolation_order)
        self.fill_mode, self.cval, self.interpolation_order = fill_mode, cval, interpolation_order
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        if preprocessing_function is not None and not callable(preprocessing_function):
            rule = "preprocessing_function must be a function of an image"
            raise ArgumentError(message(_WHO, rule, repr(preprocessing_function)[:60]))
        self.data_format = standardize_data_format(data_format)
        self.dtype = np.dtype(dtype or floatx()).name
        is_last = self.data_format == "channels_last"
        self.channel_axis, self.row_axis, self.col_axis = (3, 1, 2) if is_last else (1, 2, 3)
        if not 0 <= number(_WHO, "validation_split", validation_split) < 1:
            rule = "validation_split must be from 0 to 1, and less than 1"
            raise ArgumentError(message(_WHO, rule, repr(validation_split)))
        self._validation_split = validation_split
        self.mean: Array | None = None
        self.std: Array | None = None
        self.zca_whitening_matrix: Array | None = None
        self._settle()

    def _settle(self) -> None:
        """What some of the arguments need of others, as in tf.keras."""
        if self.zca_whitening and not self.featurewise_center:
            self.featurewise_center = True
            warn(f"{_WHO}: zca_whitening needs featurewise_center, which is switched on.")
        if self.zca_whitening and self.featurewise_std_normalization:
            self.featurewise_std_normalization = False
            warn(f"{_WHO}: zca_whitening takes the place of featurewise_std_normalization.")
        if self.featurewise_std_normalization and not self.featurewise_center:
            self.featurewise_center = True
            warn(f"{_WHO}: featurewise_std_normalization needs featurewise_center: it is on.")
        if self.samplewise_std_normalization and not self.samplewise_center:
            self.samplewise_center = True
            warn(f"{_WHO}: samplewise_std_normalization needs samplewise_center: it is on.")

    # ---------------------------------------------------------------------------- batches

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches of the images in an array.

        Args:
            x: (images, height, width, channels); or a tuple of these and of other arrays, which
                come along as they are.
            y: Labels.
            batch_size: Images in a batch.
            shuffle: Whether they come in another order in each pass.
            sample_weight: A weight for each image.
            seed: What orders and changes follow from.
            save_to_dir, save_prefix, save_format: A folder that changed images are written to, how
                their names begin, and 'png' or 'jpeg'.
            ignore_class_split: Whether the two subsets may have other classes.
            subset: 'training' or 'validation', see `validation_split`.

        Returns:
            Batches of (images, labels, weights), or of those of them that were given.

        Raises:
            ShapeError: `x` has other than four axes.
            DataError: There are not as many of all.
        """
        return NumpyArrayIterator(
            x, y, self, batch_size=batch_size, shuffle=shuffle, sample_weight=sample_weight,
            seed=seed, data_format=self.data_format, save_to_dir=save_to_dir,
            save_prefix=save_prefix, save_format=save_format,
            ignore_class_split=ignore_class_split, subset=subset, dtype=self.dtype,
        )  # fmt: skip

    def flow_from_directory(
        self,
        directory: str | os.PathLike[str],
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Batches of the image files in a folder, one class in each folder of it.

        Args:
            directory: The folder.
            target_size: (height, width) that all are resized to.
            color_mode: 'rgb', 'rgba' or 'grayscale'.
            classes: The folders that are classes, in the order of their numbers. By default all, by
                their names.
            class_mode: What labels are: 'categorical' (one-hot), 'binary' (0 or 1), 'sparse' (the
                class's number), 'input' (the images themselves), or None for images alone.
            batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset: See `flow`.
            follow_links: Whether to look into folders that are links.
            interpolation: How they are resized: 'nearest', 'bilinear', 'bicubic', 'hamming', 'box'
                or 'lanczos'.
            keep_aspect_ratio: Whether the largest part around the middle that has the shape of
                `target_size` is resized.

        Raises:
            ArgumentError: An argument breaks its rule.
            FileNotFoundError: There is no such folder.
        """
        return DirectoryIterator(
            directory, self, target_size=target_size, color_mode=color_mode, classes=classes,
            class_mode=class_mode, batch_size=batch_size, shuffle=shuffle, seed=seed,
            data_format=self.data_format, save_to_dir=save_to_dir, save_prefix=save_prefix,
            save_format=save_format, follow_links=follow_links, subset=subset,
            interpolation=interpolation, keep_aspect_ratio=keep_aspect_ratio, dtype=self.dtype,
        )  # fmt: skip

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        **kwargs: Any,
    ) -> DataFrameIterator:
        """Batches of the image files that a frame names.

        Args:
            dataframe: A frame of pandas or polars.
            directory: The folder that names of files are in; None for whole paths.
            x_col: The column of names of files.
            y_col: The column of labels, or a list of columns for 'raw' and 'multi_output'.
            weight_col: A column of weights.
            classes: The classes, in the order of their numbers; rows of others are left out.
            class_mode: As for `flow_from_directory`, where 'categorical' also takes lists of
                classes for images of several; 'raw' for numbers as they are; 'multi_output' for a
                list of columns, each of which is an output's.
            validate_filenames: Whether rows without an image file are left out, with a warning.
            target_size, color_mode, batch_size, shuffle, seed, save_to_dir, save_prefix,
                save_format, subset, interpolation: See `flow_from_directory`.
            kwargs: `keep_aspect_ratio`; and `drop_duplicates`, `has_ext`, `sort` of older versions,
                which do nothing, as in tf.keras 2.15.

        Raises:
            ArgumentError: An argument breaks its rule, or a column is not there.
            DataError: A column holds what it may not.
        """
        for name in ("drop_duplicates", "has_ext", "sort"):
            if kwargs.pop(name, None):
                fix = " Call dataframe.drop_duplicates(x_col) before." if name[0] == "d" else ""
                warn(f"{_WHO}.flow_from_dataframe: {name} does nothing any more.{fix}")
        keep_aspect_ratio = kwargs.pop("keep_aspect_ratio", False)
        refuse_unknown("flow_from_dataframe", kwargs, ImageDataGenerator.flow_from_dataframe)
        return DataFrameIterator(
            dataframe, directory, self, x_col=x_col, y_col=y_col, weight_col=weight_col,
            target_size=target_size, color_mode=color_mode, classes=classes,
            class_mode=class_mode, batch_size=batch_size, shuffle=shuffle, seed=seed,
            data_format=self.data_format, save_to_dir=save_to_dir, save_prefix=save_prefix,
            save_format=save_format, subset=subset, interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio, dtype=self.dtype,
            validate_filenames=validate_filenames,
        )  # fmt: skip

    # ---------------------------------------------------------------------------- changes

    def get_random_transform(
        self, img_shape: Sequence[int], seed: int | None = None
    ) -> dict[str, Any]:
        """Changes drawn for an image, as `apply_transform` takes them.

        Args:
            img_shape: The shape of the image, three numbers.
            seed: What they follow from; without, from `np.random`.

        Returns:
            'theta' (degrees), 'tx', 'ty' (pixels), 'shear' (degrees), 'zx', 'zy',
            'flip_horizontal', 'flip_vertical', 'channel_shift_intensity' and 'brightness'.
        """
        return self._drawn(img_shape, np.random if seed is None else np.random.RandomState(seed))

    def _drawn(self, img_shape: Sequence[int], random: Random) -> dict[str, Any]:
        # In tf.keras's order, so that the same numbers are drawn.
        turn, lean, shift = self.rotation_range, self.shear_range, self.channel_shift_range
        theta = random.uniform(-turn, turn) if turn else 0
        ty = _shift(self.height_shift_range, img_shape[self.row_axis - 1], random)
        tx = _shift(self.width_shift_range, img_shape[self.col_axis - 1], random)
        shear = random.uniform(-lean, lean) if lean else 0
        least, most = self.zoom_range
        zx, zy = (1, 1) if least == most == 1 else random.uniform(least, most, 2)
        flip_horizontal = (random.random_sample() < 0.5) * self.horizontal_flip
        flip_vertical = (random.random_sample() < 0.5) * self.vertical_flip
        intensity = random.uniform(-shift, shift) if shift else None
        brightness = None
        if self.brightness_range is not None:
            brightness = random.uniform(*self.brightness_range)
        return {
            "theta": theta, "tx": tx, "ty": ty, "shear": shear, "zx": zx, "zy": zy,
            "flip_horizontal": flip_horizontal, "flip_vertical": flip_vertical,
            "channel_shift_intensity": intensity, "brightness": brightness,
        }  # fmt: skip

    def apply_transform(self, x: Array, transform_parameters: Mapping[str, Any]) -> Array:
        """An image after changes.

        Args:
            x: The image, three axes.
            transform_parameters: Some of what `get_random_transform` gives.

        Raises:
            ArgumentError: A name among them is none of these.

        Example:
            >>> import numpy as np
            >>> image = np.arange(4.0).reshape(2, 2, 1)
            >>> ImageDataGenerator().apply_transform(image, {"flip_horizontal": True})[..., 0]
            array([[1., 0.],
                   [3., 2.]])
        """
        given = transform_parameters
        unknown = {name: value for name, value in given.items() if name not in _PARAMETERS}
        refuse_unknown("apply_transform", unknown, _PARAMETERS)
        rows, columns, channels = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        affine = {name: given[name] for name in _AFFINE if name in given}
        image = apply_affine_transform(
            x, **affine, row_axis=rows, col_axis=columns, channel_axis=channels,
            fill_mode=self.fill_mode, cval=self.cval, order=self.interpolation_order,
        )  # fmt: skip
        if given.get("channel_shift_intensity") is not None:
            image = apply_channel_shift(image, given["channel_shift_intensity"], channels)
        if given.get("flip_horizontal"):
            image = np.flip(image, columns)
        if given.get("flip_vertical"):
            image = np.flip(image, rows)
        if given.get("brightness") is not None:
            image = apply_brightness_shift(
                image, given["brightness"], False, data_format=self.data_format
            )
        return image

    def random_transform(self, x: Array, seed: int | None = None) -> Array:
        """An image after changes that are drawn.

        Args:
            x: The image, three axes.
            seed: What they follow from; without, from `np.random`.
        """
        return self.apply_transform(x, self.get_random_transform(np.shape(x), seed))

    def standardize(self, x: Array) -> Array:
        """An image, or a batch, brought to a scale: `preprocessing_function`, `rescale`, and what
        is taken away and divided by."""
        image = self._scaled(x)
        if self.featurewise_center:
            image = image - self._fitted(self.mean, "featurewise_center", 0)
        if self.featurewise_std_normalization:
            std = self._fitted(self.std, "featurewise_std_normalization", None)
            image = image if std is None else image / (std + _EPSILON)
        if self.zca_whitening:
            matrix = self._fitted(self.zca_whitening_matrix, "zca_whitening", None)
            if matrix is not None:
                flat = image.reshape(-1, int(np.prod(image.shape[-3:])))
                image = (flat @ matrix).reshape(image.shape)
        return image

    def _scaled(self, x: Array) -> Array:
        """What needs no other images, which comes before what `fit` sees of them."""
        image = np.asarray(x)
        if self.preprocessing_function is not None:
            image = np.asarray(self.preprocessing_function(image))
        if image.dtype.kind != "f":
            image = image.astype(self.dtype)
        if self.rescale:
            image = image * self.rescale
        if self.samplewise_center:
            image = image - np.mean(image, keepdims=True)
        if self.samplewise_std_normalization:
            image = image / (np.std(image, keepdims=True) + _EPSILON)
        return image

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """See images: what `featurewise_center`, `featurewise_std_normalization` and
        `zca_whitening` need, of images as they are when their turn comes: when they have gone
        through `preprocessing_function`, `rescale` and what is done to each alone.

        Args:
            x: (images, height, width, channels).
            augment: Whether they are changed before.
            rounds: How many times each is.
            seed: What the changes follow from; without, from `np.random`.

        Raises:
            ShapeError: `x` has other than four axes.
        """
        images = np.asarray(x, dtype=self.dtype)
        if images.ndim != 4:
            rule = "x must be images: (images, height, width, channels)"
            raise ShapeError(message(f"{_WHO}.fit", rule, f"shape {images.shape}"))
        if augment:
            times = whole_number(f"{_WHO}.fit", "rounds", rounds)
            random: Random = np.random if seed is None else np.random.RandomState(seed)
            changed = np.empty((times * len(images), *images.shape[1:]), self.dtype)
            for place in range(len(changed)):
                image = images[place % len(images)]
                changed[place] = self.apply_transform(image, self._drawn(image.shape, random))
            images = changed
        if self._scales:  # copies, as a function may write into what it is given
            images = np.stack([self._scaled(image.copy()) for image in images], dtype=self.dtype)
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = np.mean(images, axis=axes, keepdims=True)[0]
            images = images - self.mean
        if self.featurewise_std_normalization:
            self.std = std = np.std(images, axis=axes, keepdims=True)[0]
            images = images / (std + _EPSILON)
        if self.zca_whitening:
            flat = images.reshape(len(images), -1)
            _, scale, basis = np.linalg.svd(flat / math.sqrt(len(flat)), full_matrices=False)
            self.zca_whitening_matrix = (basis.T / np.sqrt(scale**2 + self.zca_epsilon)) @ basis

    @property
    def _scales(self) -> bool:
        alone = self.samplewise_center or self.samplewise_std_normalization
        return bool(alone or self.rescale or self.preprocessing_function is not None)

    def _fitted(self, value: Array | None, what: str, without: Any) -> Any:
        if value is not None:
            return value
        rule = f"{what} needs the images that fit() sees; it is left out"
        warn(message(_WHO, rule, "none", "Call generator.fit(x_train) before."))
        return without


_WHO = "ImageDataGenerator"


def _shifts(name: str, given: Any) -> Any:
    """A range of moves, or a list of them."""
    if np.ndim(given) == 0:
        return given if isinstance(given, int) else number(_WHO, name, given)
    if np.ndim(given) != 1 or not len(given):
        rule = f"{name} must be a number, or a list of pixels to choose from"
        raise ArgumentError(message(_WHO, rule, repr(given)[:60]))
    return given


def _shift(given: Any, length: int, random: Random) -> Any:
    """How far an image moves: as tf.keras draws it."""
    is_list = np.ndim(given) == 1
    if not is_list and not given:
        return 0
    if is_list or isinstance(given, int):  # an int chooses among the whole numbers under it
        drawn = random.choice(given) * random.choice([-1, 1])
    else:
        drawn = random.uniform(-given, given)
    return drawn * length if np.max(given) < 1 else drawn


def _zoom_range(given: Any) -> list[float]:
    if np.ndim(given) == 0:
        share = number(_WHO, "zoom_range", given)
        return [1 - share, 1 + share]
    if np.shape(given) != (2,):
        rule = "zoom_range must be a number, or two, the least and the most"
        raise ArgumentError(message(_WHO, rule, repr(given)[:60]))
    return list(given)


__all__ = ["ImageDataGenerator"]
