"""Summaries: what `tf.summary` writes, by the same names and in the same form.

Each returns whether it wrote: not without a default writer, nor where `record_if` says no. All run
where values are known: in loops by hand, in callbacks, in layers that run eagerly; and in a
`nacre.function` or a `train_step`, which give their values back (see `compiled`). Within other
compiled code they are refused (see `recording.is_due`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DTypeError, ShapeError, message
from nacre.core.kinds import is_list
from nacre.core.names import current_path
from nacre.core.numbers import whole_number
from nacre.core.strings import is_text
from nacre.core.warning import warn
from nacre.core.wire.protobuf import whole
from nacre.summary.compiled import capture
from nacre.summary.messages import metadata, numbers, strings, summary_value
from nacre.summary.pictures import png, wav
from nacre.summary.recording import is_due, recording, step_of

_BUCKETS = 30
_WAV = whole(2, 11)  # tensorboard/plugins/audio/plugin_data.proto: encoding, WAV
_NOT_0_TO_1 = 16  # values of a picture beyond this are no overshooting: they run from 0 to 255


def scalar(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Write a number, for a chart over the steps.

    Args:
        name: The chart; a `/` in it makes groups. Name scopes around go before it.
        data: One number.
        step: The step; the default one if None.
        description: Shown with it, as Markdown.

    Returns:
        Whether it was written.
    Raises:
        ArgumentError: `data` is not one number, or there is no step.
        TracedValueError: Within compiled code other than a `nacre.function` or a `train_step`.
    Precision:
        It is kept in float32.
    Example:
        >>> import tempfile
        >>> from nacre import summary
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with summary.create_file_writer(folder).as_default():
        ...         summary.scalar("loss", 0.5, step=1)
        True
    """
    who = "nacre.summary.scalar"

    def value(data: Any) -> bytes:
        return scalar_tensor(who, data)

    return _write(who, name, step, data, value, metadata("scalars", description=description))


def scalar_tensor(who: str, data: Any) -> bytes:
    """One number as a tensor.

    Raises:
        ArgumentError: It is not one number.
    """
    array = _array(who, data)
    if array.ndim or array.dtype.kind == "c":
        rule = "data must be one number"
        got = f"an array of shape {array.shape}, {array.dtype}"
        raise ArgumentError(message(who, rule, got, "Take its mean, or write each part by name."))
    return numbers(array.astype(np.float32))


def histogram(
    name: str,
    data: Any,
    step: Any = None,
    buckets: int | None = None,
    description: str | None = None,
) -> bool:
    """Write how numbers are distributed: how many lie in each of equal intervals.

    What is NaN or infinite is left out with a warning, as it lies in no interval.

    Args:
        name: Of the chart.
        data: Numbers of any shape.
        step: The step; the default one if None.
        buckets: The number of intervals; 30 if None.
        description: Shown with it, as Markdown.

    Returns:
        Whether it was written.
    Raises:
        TracedValueError: Within compiled code other than a `nacre.function` or a `train_step`.
    Example:
        >>> import tempfile
        >>> from nacre import summary
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with summary.create_file_writer(folder).as_default(step=1):
        ...         summary.histogram("weights", [0.1, 0.2, 0.2])
        True
    """
    who = "nacre.summary.histogram"

    def value(data: Any) -> bytes:
        count = _BUCKETS if buckets is None else whole_number(who, "buckets", buckets, 0)
        return histogram_tensor(f"{who}: {name}", _array(who, data), count)

    return _write(who, name, step, data, value, metadata("histograms", description=description))


def histogram_tensor(who: str, array: np.ndarray[Any, Any], buckets: int = _BUCKETS) -> bytes:
    """Intervals and how many numbers lie in each, as a tensor.

    Args:
        who: Whose numbers they are, for the warning.
        array: Numbers of any shape.
        buckets: The number of intervals.

    Shapes:
        tensor  (buckets, 3)    float64: left end, right end, how many
    """
    values = array.astype(np.float64).ravel()
    finite = values[np.isfinite(values)]
    if len(finite) < len(values):
        got = f"{len(values) - len(finite)} of {len(values)} are NaN or infinite"
        warn(message(who, "a histogram is one of finite numbers; the others are left out", got))
    rows = np.zeros((buckets, 3))
    if buckets and len(finite):
        low, high = float(finite.min()), float(finite.max())
        if low == high:  # all lie in the last one, which has no width
            rows[:, :2] = low
            rows[-1, 2] = len(finite)
        else:
            counts, edges = np.histogram(finite, buckets, (low, high))
            rows[:, 0], rows[:, 1], rows[:, 2] = edges[:-1], edges[1:], counts
    return numbers(rows)


def image(
    name: str,
    data: Any,
    step: Any = None,
    max_outputs: int = 3,
    description: str | None = None,
) -> bool:
    """Write pictures.

    Args:
        name: Of the pictures.
        data: (batch height width channels) with 1, 2, 3 or 4 channels: gray, gray and alpha, RGB,
            RGBA. Floats run from 0 to 1, whole numbers from 0 to 255.
        step: The step; the default one if None.
        max_outputs: How many of them are written, at most.
        description: Shown with it, as Markdown.

    Returns:
        Whether it was written.
    Raises:
        ShapeError: `data` is of another shape.
        ArgumentError: A whole number is not from 0 to 255.
        TracedValueError: Within compiled code other than a `nacre.function` or a `train_step`.
    Source:
        tf.summary.image. Differs: whole numbers of all dtypes run from 0 to 255, where TensorFlow
        takes 255 in int32 for black.
    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from nacre import summary
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with summary.create_file_writer(folder).as_default(step=1):
        ...         summary.image("digits", np.zeros((2, 28, 28, 1)))
        True
    """
    who = "nacre.summary.image"

    def value(data: Any) -> bytes:
        most = whole_number(who, "max_outputs", max_outputs, 0)
        return image_tensor(who, _array(who, data), most)

    return _write(who, name, step, data, value, metadata("images", description=description))


def image_tensor(who: str, array: np.ndarray[Any, Any], max_outputs: int = 3) -> bytes:
    """Pictures as a tensor of strings: width, height, and each as PNG.

    Args:
        who: Who asks, for messages.
        array: (batch height width channels), as in `image`.
        max_outputs: How many are kept, at most.
    """
    if array.ndim != 4 or array.shape[3] not in (1, 2, 3, 4):
        rule = "data must be (batch, height, width, channels) with 1, 2, 3 or 4 channels"
        fix = "Give one picture a batch axis: image[None]." if array.ndim == 3 else ""
        if array.ndim == 2:
            fix = "Give one gray picture all axes: image[None, ..., None]."
        raise ShapeError(message(who, rule, f"shape {array.shape}", fix))
    pixels = _pixels(who, array[:max_outputs])
    sizes = [str(size).encode() for size in (array.shape[2], array.shape[1])]
    values = [*sizes, *(png(picture) for picture in pixels)]
    return strings(values, (len(values),))


def _pixels(who: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    least, most = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if array.dtype.kind in "iu":
        if least < 0 or most > 255:
            rule = "whole numbers of a picture must run from 0 to 255"
            raise ArgumentError(message(who, rule, f"{least:.0f} to {most:.0f}"))
        return array.astype(np.uint8)
    values = array.astype(np.float32)
    if most > _NOT_0_TO_1:
        rule = "floats of a picture run from 0 to 1; what is above is white"
        fix = "Divide by 255, or pass astype('uint8')."
        warn(message(who, rule, f"up to {most:.0f}", fix))
    shades = np.nan_to_num(np.clip(values, 0, 1)) * np.float32(255.5)  # as TensorFlow rounds
    return shades.astype(np.uint8)


def audio(
    name: str,
    data: Any,
    sample_rate: int,
    step: Any = None,
    max_outputs: int = 3,
    encoding: str | None = None,
    description: str | None = None,
) -> bool:
    """Write sounds.

    Args:
        name: Of the sounds.
        data: (batch time channels), floats from -1 to 1.
        sample_rate: Samples a second.
        step: The step; the default one if None.
        max_outputs: How many of them are written, at most.
        encoding: "wav" or None, which is the same.
        description: Shown with it, as Markdown.

    Returns:
        Whether it was written.
    Raises:
        ShapeError: `data` is of another shape.
        DTypeError: `data` is not of floats.
        TracedValueError: Within compiled code other than a `nacre.function` or a `train_step`.
    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from nacre import summary
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with summary.create_file_writer(folder).as_default(step=1):
        ...         summary.audio("tone", np.sin(np.arange(800.0)).reshape(1, 800, 1), 8000)
        True
    """
    who = "nacre.summary.audio"
    if encoding not in (None, "wav"):
        raise ArgumentError(message(who, "encoding must be 'wav' or None", repr(encoding)))

    def value(data: Any) -> bytes:
        array = _array(who, data)
        if array.ndim != 3:
            rule = "data must be (batch, time, channels)"
            fix = "Give one sound the other axes: sound[None, :, None]." if array.ndim == 1 else ""
            raise ShapeError(message(who, rule, f"shape {array.shape}", fix))
        if array.dtype.kind in "biuc":
            rule, fix = "data must be floats from -1 to 1", "Divide 16-bit samples by 32768."
            raise DTypeError(message(who, rule, str(array.dtype), fix))
        rate = whole_number(who, "sample_rate", sample_rate)
        sounds = array[: whole_number(who, "max_outputs", max_outputs, 0)].astype(np.float32)
        parts = [part for sound in sounds for part in (wav(sound, rate), b"")]  # with its label
        return strings(parts, (len(sounds), 2))

    return _write(who, name, step, data, value, metadata("audio", _WAV, description))


def text(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Write text, which is shown as Markdown; an array of texts as a table.

    Args:
        name: Of the text.
        data: A string, or strings of any shape.
        step: The step; the default one if None.
        description: Shown with it, as Markdown.

    Returns:
        Whether it was written.
    Raises:
        DTypeError: `data` holds something else.
        TracedValueError: Within compiled code other than a `nacre.function` or a `train_step`.
    Example:
        >>> import tempfile
        >>> from nacre import summary
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with summary.create_file_writer(folder).as_default(step=1):
        ...         summary.text("settings", "**units**: 64")
        True
    """
    who = "nacre.summary.text"

    def value(data: Any) -> bytes:
        return text_tensor(who, data)

    return _write(who, name, step, data, value, metadata("text", description=description))


def text_tensor(who: str, data: Any) -> bytes:
    """Strings as a tensor.

    Raises:
        DTypeError: Something else is among them.
    """
    array = np.asarray(data, dtype=object) if is_list(data) or is_text(data) else np.asarray(data)
    values = array.ravel().tolist()
    others = [item for item in values if not isinstance(item, str | bytes)]
    if others:
        fix = "Make it a string: str(data)."
        rule = "data must be a string, or strings"
        raise DTypeError(message(who, rule, repr(others[0])[:100], fix))
    encoded = [v if isinstance(v, bytes) else v.encode("utf-8", "replace") for v in values]
    return strings(encoded, array.shape)


def write(
    tag: str, tensor: Any, step: Any = None, metadata: Any = None, name: str | None = None
) -> bool:
    """Write any tensor, for a plugin of the viewer that knows what it is.

    Args:
        tag: Its name.
        tensor: Numbers or strings of any shape; also a function that gives them, which is only
            called where they are written.
        step: The step; the default one if None.
        metadata: A `SummaryMetadata` of TensorFlow's or TensorBoard's, or its bytes.
        name: Taken for scripts of TensorFlow, and without effect.

    Returns:
        Whether it was written.
    Raises:
        DTypeError: Event files know no such dtype.
        TracedValueError: Within compiled code other than a `nacre.function` or a `train_step`.
    Example:
        >>> import tempfile
        >>> from nacre import summary
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with summary.create_file_writer(folder).as_default(step=1):
        ...         summary.write("numbers", [1, 2, 3])
        True
    """
    who = "nacre.summary.write"
    is_message = hasattr(metadata, "SerializeToString")  # of Protocol Buffers, not imported here
    content = metadata.SerializeToString() if is_message else metadata
    if not isinstance(content, bytes | None):
        rule = "metadata must be a SummaryMetadata, or its bytes"
        raise ArgumentError(message(who, rule, repr(metadata)[:100]))

    def value(data: Any) -> bytes:
        data = data() if callable(data) else data
        is_strings = is_text(np.asarray(data) if is_list(data) else data)
        return text_tensor(who, data) if is_strings else numbers(_array(who, data))

    return _write(who, tag, step, tensor, value, content or b"")


def _write(
    who: str, name: Any, step: Any, data: Any, value: Callable[[Any], bytes], metadata: bytes
) -> bool:
    if not isinstance(name, str) or not name:
        fix = f"The arguments are name, data, step: {who.split('.')[-1]}('loss', loss, step=step)."
        raise ArgumentError(message(who, "name must be a string", repr(name)[:100], fix))
    tag = f"{current_path()}/{name}".lstrip("/")
    if capture(who, tag, data, step, value, metadata):
        return True
    if not is_due(who, tag, data, step):
        return False
    number = step_of(who, step)
    writer = recording().writer
    if writer is not None:
        writer.add(number, summary_value(tag, value(data), metadata))
    return True


def _array(who: str, data: Any) -> np.ndarray[Any, Any]:
    """Numbers as an array of NumPy's."""
    array = np.asarray(data)
    if array.dtype.kind in "OUSmM" or is_text(array):
        raise DTypeError(message(who, "data must be numbers", repr(data)[:100]))
    return array


__all__ = ["audio", "histogram", "image", "scalar", "text", "write"]
