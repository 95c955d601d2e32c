"""`tf.config` and `tf.test`: which devices there are, and settings that are accepted."""

from __future__ import annotations

import contextlib
import logging
from typing import Any, NamedTuple

import jax

from nacre.core.errors import ArgumentError, UnsupportedError, message
from nacre.core.random import user_seed


class PhysicalDevice(NamedTuple):
    """A device.

    Attributes:
        name: Its name.
        device_type: 'CPU', 'GPU' or 'TPU'.
    """

    name: str
    device_type: str


def _kinds() -> list[str]:
    names = {"cuda": "GPU", "rocm": "GPU", "gpu": "GPU", "tpu": "TPU", "cpu": "CPU"}
    found = [
        names.get(str(device.platform), str(device.platform).upper()) for device in jax.devices()
    ]
    return found if "CPU" in found else ["CPU", *found]


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices there are, of one kind or of all.

    Args:
        device_type: 'CPU', 'GPU' or 'TPU'.
    """
    return _listed("/physical_device", device_type)


def list_logical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The same; a device that `set_logical_device_configuration` gave several names is listed by
    each of them."""
    found: list[PhysicalDevice] = []
    for device in _listed("/physical_device", device_type):
        for _ in _parts.get(device.name, [None]):
            number = sum(one.device_type == device.device_type for one in found)
            name = f"/device:{device.device_type}:{number}"
            found.append(PhysicalDevice(name, device.device_type))
    return found


def _listed(prefix: str, wanted: str | None) -> list[PhysicalDevice]:
    found: list[PhysicalDevice] = []
    for kind in _kinds():
        number = sum(device.device_type == kind for device in found)
        found.append(PhysicalDevice(f"{prefix}:{kind}:{number}", kind))
    return [device for device in found if wanted in (None, device.device_type)]


class DeviceAttributes(NamedTuple):
    """What `device_lib.list_local_devices` tells of a device.

    Attributes:
        name: Its name, '/device:CPU:0'.
        device_type: 'CPU', 'GPU' or 'TPU'.
        memory_limit: 0, as JAX takes what it needs.
        physical_device_desc: What JAX calls it; '' of the processor.
    """

    name: str
    device_type: str
    memory_limit: int = 0
    physical_device_desc: str = ""


def list_local_devices(session_config: Any = None) -> list[DeviceAttributes]:
    """The devices there are, as `tensorflow.python.client.device_lib` lists them.

    Args:
        session_config: Accepted for compatibility.

    Example:
        >>> list_local_devices()[0].name
        '/device:CPU:0'
    """
    told = [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    return [
        DeviceAttributes(
            name, kind, physical_device_desc="" if kind == "CPU" or not told else told[0]
        )
        for name, kind in _listed("/device", None)
    ]


def get_visible_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """All devices: which are used is told by CUDA_VISIBLE_DEVICES before the start."""
    return list_physical_devices(device_type)


def accepted(*args: Any, **kwargs: Any) -> None:
    """A setting that changes nothing: JAX takes memory, threads and placement into its hands."""


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """Whether there is a GPU."""
    return "GPU" in _kinds()


def gpu_device_name() -> str:
    """The name of the first GPU; '' without one."""
    found = list_logical_devices("GPU")
    return found[0].name if found else ""


def is_built_with_cuda() -> bool:
    """Whether JAX found a GPU of NVIDIA's."""
    return any(device.platform in ("cuda", "gpu") for device in jax.devices())


def is_built_with_xla() -> bool:
    """Always."""
    return True


def enable_op_determinism() -> None:
    """Accepted: programs give the same bits each time. There must be a seed."""
    if user_seed() is None:
        raise RuntimeError(
            "tf.config.experimental.enable_op_determinism: set a seed first, "
            "tf.random.set_seed(1) or tf.keras.utils.set_random_seed(1)."
        )


def functions_run_eagerly() -> bool:
    """Whether `tf.function` compiles nothing."""
    return _eagerly[0]


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Let functions decorated with `tf.function` run as plain Python, or compiled again."""
    _eagerly[0] = bool(run_eagerly)


_eagerly = [False]


class LogicalDeviceConfiguration(NamedTuple):
    """What scripts ask of a part of a device.

    Attributes:
        memory_limit: Megabytes.
        experimental_priority, experimental_device_ordinal: Accepted for compatibility.
    """

    memory_limit: Any = None
    experimental_priority: Any = None
    experimental_device_ordinal: Any = None


def set_logical_device_configuration(device: Any, logical_devices: Any) -> None:
    """Give a device several names, by which scripts may place code; it stays one device.

    Args:
        device: One of `list_physical_devices`.
        logical_devices: A `LogicalDeviceConfiguration` for each name. Their `memory_limit` is
            accepted for compatibility.
    """
    who = "tf.config.set_logical_device_configuration"
    names = [one.name for one in list_physical_devices()]
    if getattr(device, "name", None) not in names:
        rule = f"device must be one of {', '.join(names)}"
        raise ArgumentError(message(who, rule, repr(device)[:60]))
    parts = list(logical_devices or ())
    if not parts:
        raise ArgumentError(message(who, "there must be a configuration or more", "none"))
    _parts[device.name] = parts


_parts: dict[str, list[Any]] = {}  # physical device -> what its names were asked with


def get_logical_device_configuration(device: Any) -> list[Any] | None:
    """What a device was given names with; None where nothing was asked.

    Args:
        device: One of `list_physical_devices`.
    """
    return _parts.get(device.name)


def get_device_details(device: Any) -> dict[str, Any]:
    """What is known of a device: its name.

    Args:
        device: One of `list_physical_devices`.
    """
    number = int(str(device.name).rpartition(":")[2])
    same = [one for one in jax.devices() if _kind_of(one) == device.device_type]
    return {"device_name": same[number].device_kind} if number < len(same) else {}


def _kind_of(device: Any) -> str:
    names = {"cuda": "GPU", "rocm": "GPU", "gpu": "GPU", "tpu": "TPU", "cpu": "CPU"}
    return names.get(str(device.platform), str(device.platform).upper())


def get_memory_info(device: str) -> dict[str, int]:
    """The bytes in use on a device, now and at most.

    Args:
        device: Its name, 'GPU:0'.

    Raises:
        UnsupportedError: The device does not count them, as a CPU.
    """
    kind, _, number = device.rpartition("/device:")[2].partition(":")
    same = [one for one in jax.devices() if _kind_of(one) == kind.upper()]
    at = int(number or 0)
    stats = same[at].memory_stats() if at < len(same) else None
    if not stats:
        rule = "the device must count its memory"
        raise UnsupportedError(message("tf.config.experimental.get_memory_info", rule, device))
    return {"current": stats["bytes_in_use"], "peak": stats.get("peak_bytes_in_use", 0)}


def get_memory_growth(device: Any) -> None:
    """None, as where nothing was set."""


def number_zero() -> int:
    """0: as many threads as the machine has."""
    return 0


def always(*args: Any) -> bool:
    """True."""
    return True


def never(*args: Any) -> bool:
    """False."""
    return False


def no_options() -> dict[str, Any]:
    """None are set."""
    return {}


_this_thread = contextlib.ExitStack()


def enable_check_numerics(stack_height_limit: int = 30, path_length_limit: int = 50) -> None:
    """From now on an op or a program that gives NaN or infinity raises: `FloatingPointError`, or
    what `tf.errors.InvalidArgumentError` stands for.

    Args:
        stack_height_limit, path_length_limit: Accepted for compatibility.
    """
    jax.config.update("jax_debug_nans", True)
    jax.config.update("jax_debug_infs", True)
    # Once a thread has left `with jax.debug_nans(...)`, JAX keeps an empty answer of its own for
    # it, which hides what is asked for everywhere.
    _this_thread.enter_context(jax.debug_nans(True))
    _this_thread.enter_context(jax.debug_infs(True))


def disable_check_numerics() -> None:
    """End what `enable_check_numerics` began."""
    _this_thread.close()
    jax.config.update("jax_debug_nans", False)
    jax.config.update("jax_debug_infs", False)


def build_info() -> dict[str, Any]:
    """What nacre runs on: no CUDA of its own."""
    return {"is_cuda_build": is_built_with_cuda(), "is_rocm_build": False, "cuda_version": ""}


def is_built_with_rocm() -> bool:
    """Whether JAX found a GPU of AMD's."""
    return any(device.platform == "rocm" for device in jax.devices())


def get_logger() -> logging.Logger:
    """Python's logger named 'tensorflow'."""
    return logging.getLogger("tensorflow")


def start_profile(logdir: str, options: Any = None) -> None:
    """Begin to write a profile for TensorBoard, JAX's.

    Args:
        logdir: The folder.
        options: Accepted for compatibility.
    """
    jax.profiler.start_trace(logdir)


def stop_profile(save: bool = True) -> None:
    """End and write it.

    Args:
        save: Accepted for compatibility: it is always written.
    """
    jax.profiler.stop_trace()


def Profile(logdir: str, options: Any = None) -> Any:
    """A block whose profile is written.

    Args:
        logdir: The folder.
        options: Accepted for compatibility.
    """
    return jax.profiler.trace(logdir)


def Trace(name: str, **kwargs: Any) -> Any:
    """A block that has a name in a profile.

    Args:
        name: The name.
        kwargs: What more is told of it, such as `step_num`.
    """
    kwargs.pop("_r", None)  # says that it is a root; JAX says so itself
    if "step_num" in kwargs:
        return jax.profiler.StepTraceAnnotation(name, **kwargs)
    return jax.profiler.TraceAnnotation(name, **kwargs)
