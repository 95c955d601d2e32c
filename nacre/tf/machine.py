"""`tf.config` and `tf.test`: which devices there are, and settings that are accepted."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

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
    """The same: each device is one."""
    return _listed("/device", device_type)


def _listed(prefix: str, wanted: str | None) -> list[PhysicalDevice]:
    found: list[PhysicalDevice] = []
    for kind in _kinds():
        number = sum(device.device_type == kind for device in found)
        found.append(PhysicalDevice(f"{prefix}:{kind}:{number}", kind))
    return [device for device in found if wanted in (None, device.device_type)]


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
