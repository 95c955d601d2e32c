"""Process-wide settings that Keras users know: floatx, epsilon, image data format, and ours."""

from __future__ import annotations

import operator
import os
from pathlib import Path

from nacre.core.errors import ArgumentError, message

_FLOATS = ("bfloat16", "float16", "float32", "float64")
_DATA_FORMATS = ("channels_last", "channels_first")
_settings: dict[str, object] = {
    "floatx": "float32",
    "epsilon": 1e-7,  # tf.keras default
    "image_data_format": "channels_last",
    "interactive_logging": True,
    "traceback_filtering": True,
    "flash_attention": None,  # nobody said
}


def floatx() -> str:
    """The default float dtype, a string.

    Example:
        >>> floatx()
        'float32'
    """
    return str(_settings["floatx"])


def set_floatx(value: str) -> None:
    """Set the default float dtype: 'bfloat16', 'float16', 'float32' or 'float64'.

    'float64' switches JAX's 64-bit numbers on, for the rest of the process.
    """
    if value not in _FLOATS:
        raise ArgumentError(
            message("set_floatx", f"the dtype must be one of {_FLOATS}", repr(value))
        )
    if value == "float64":
        from nacre.core.dtypes import use_64_bits  # loads JAX, which `import nacre` does not

        use_64_bits()
    _settings["floatx"] = value


def epsilon() -> float:
    """The small number added where a division or a logarithm could fail.

    Example:
        >>> epsilon()
        1e-07
    """
    return float(_settings["epsilon"])  # type: ignore[arg-type]


def set_epsilon(value: float) -> None:
    """Set the small number that `epsilon()` returns."""
    _settings["epsilon"] = float(value)


def image_data_format() -> str:
    """The default place of the channels axis: 'channels_last' or 'channels_first'."""
    return str(_settings["image_data_format"])


def set_image_data_format(data_format: str) -> None:
    """Set the default place of the channels axis."""
    _settings["image_data_format"] = standardize_data_format(data_format)


def standardize_data_format(data_format: str | None) -> str:
    """Fill in the default for None and refuse unknown words.

    Example:
        >>> standardize_data_format(None)
        'channels_last'
    """
    if data_format is None:
        return image_data_format()
    text = str(data_format).lower()
    if text not in _DATA_FORMATS:
        raise ArgumentError(
            message("data_format", f"it must be one of {_DATA_FORMATS}", repr(data_format))
        )
    return text


def max_epochs() -> int | None:
    """At most so many epochs are trained by any `fit`, whatever it asks for; None: no limit.

    Example:
        >>> max_epochs() is None
        True
    """
    return _limit("max_epochs")


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit the epochs of every `fit`, to try a script out; None lifts it.

    Args:
        max_epochs: The limit, at least 1. The variable `KERAS_MAX_EPOCHS` of the environment sets
            it too.

    Raises:
        ArgumentError: It is no whole number above 0.
    """
    _set_limit("max_epochs", max_epochs)


def max_steps_per_epoch() -> int | None:
    """At most so many batches are taken by an epoch of `fit`, by `evaluate` and by `predict`; None:
    no limit.

    Example:
        >>> max_steps_per_epoch() is None
        True
    """
    return _limit("max_steps_per_epoch")


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit the batches of an epoch of every `fit`, `evaluate` and `predict`, to try a script out;
    None lifts it. `predict` then gives the predictions of those batches alone.

    Args:
        max_steps_per_epoch: The limit, at least 1. The variable `KERAS_MAX_STEPS_PER_EPOCH` of the
            environment sets it too.

    Raises:
        ArgumentError: It is no whole number above 0.
    """
    _set_limit("max_steps_per_epoch", max_steps_per_epoch)


def _limit(name: str) -> int | None:
    if name not in _settings:
        variable = f"KERAS_{name.upper()}"
        text = os.environ.get(variable)
        if text and not (text.isdecimal() and int(text)):
            rule = "it must be a whole number above 0"
            raise ArgumentError(message(f"environment variable {variable}", rule, repr(text)))
        _settings[name] = int(text) if text else None
    limit = _settings[name]
    assert limit is None or isinstance(limit, int)
    return limit


def _set_limit(name: str, value: int | None) -> None:
    if value is not None:
        from nacre.core.numbers import whole_number  # loads NumPy, which `import nacre` does not

        value = whole_number(f"set_{name}", name, value, 1, or_else=" or None")
    _settings[name] = value


def is_interactive_logging_enabled() -> bool:
    """Whether progress goes to stdout (True) or to `logging` (False)."""
    return bool(_settings["interactive_logging"])


def enable_interactive_logging() -> None:
    """Send progress to stdout."""
    _settings["interactive_logging"] = True


def disable_interactive_logging() -> None:
    """Send progress to the `logging` module."""
    _settings["interactive_logging"] = False


def is_traceback_filtering_enabled() -> bool:
    """Whether frames inside nacre and JAX are left out of tracebacks."""
    return bool(_settings["traceback_filtering"]) and os.environ.get("NACRE_TRACEBACK") != "full"


def enable_traceback_filtering() -> None:
    """Leave frames inside nacre and JAX out of tracebacks."""
    _settings["traceback_filtering"] = True


def disable_traceback_filtering() -> None:
    """Show every frame in tracebacks."""
    _settings["traceback_filtering"] = False


def settings_of_traces() -> tuple[object, ...]:
    """The settings that code reads while it is traced."""
    return _of_traces(_settings)


_of_traces = operator.itemgetter("floatx", "epsilon", "image_data_format", "flash_attention")


def backend() -> str:
    """The name of the array engine, always 'jax'."""
    return "jax"


def set_backend(backend: str) -> None:
    """Accept 'jax', the only engine there is.

    Raises:
        ArgumentError: Another engine is asked for.
    """
    if backend != "jax":
        raise ArgumentError(
            message("set_backend", "the engine must be 'jax'", repr(backend), "Leave the call out.")
        )


def is_flash_attention_enabled() -> bool | None:
    """Whether attention asks for the fused kernel by itself; None when nobody decided."""
    setting = _settings["flash_attention"]
    return None if setting is None else bool(setting)


def enable_flash_attention() -> None:
    """Ask for the fused attention kernel wherever the platform has one."""
    _settings["flash_attention"] = True


def disable_flash_attention() -> None:
    """Ask for the fused attention kernel only where an argument does."""
    _settings["flash_attention"] = False


def keras_home() -> Path:
    """The folder Keras keeps its files in: `KERAS_HOME`, else `~/.keras`."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def cache_home() -> Path:
    """The folder nacre keeps its own files in: `NACRE_CACHE`, else the user's cache folder."""
    if os.environ.get("NACRE_CACHE"):
        return Path(os.environ["NACRE_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "nacre"
