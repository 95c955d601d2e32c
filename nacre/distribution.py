"""`keras.distribution`: how variables and batches lie on several devices.

One process drives all devices of its machine. A distribution is a `core.layout.Layout` with Keras's
names: programs that are made while one is set have their variables laid out by it and their batches
divided, and XLA does the rest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from nacre.core.context import put
from nacre.core.errors import ArgumentError, UnsupportedError, message
from nacre.core.layout import Layout, current_layout, fitting_key
from nacre.core.tracing import is_tracer
from nacre.core.typed_jax import said_to_lie
from nacre.core.warning import warn

_WHO = "nacre.distribution"


def list_devices(device_type: str | None = None) -> list[str]:
    """The devices of this machine, as 'cpu:0'.

    Args:
        device_type: 'cpu', 'gpu' or 'tpu'; the kind that programs run on by default.
    Example:
        >>> list_devices("cpu")[0]
        'cpu:0'
    """
    kind = device_type.lower() if device_type else None
    return [f"{device.platform}:{device.id}" for device in jax.devices(kind)]


def get_device_count(device_type: str | None = None) -> int:
    """How many devices of a kind there are; 0 where there are none.

    Args:
        device_type: 'cpu', 'gpu' or 'tpu'; the kind that programs run on by default.
    Example:
        >>> get_device_count("cpu") >= 1
        True
    """
    try:
        return len(list_devices(device_type))
    except RuntimeError:  # JAX knows no such kind
        return 0


def initialize(
    job_addresses: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Nothing to do for one process, which has all devices of its machine.

    Args:
        job_addresses: Addresses of the processes, parted by commas.
        num_processes, process_id: How many processes there are, and which one this is. The first
            two are also read from `KERAS_DISTRIBUTION_JOB_ADDRESSES` and `…_NUM_PROCESSES`.

    Raises:
        UnsupportedError: There are several processes: each would train alone.
    Source:
        Keras 3.15. Differs: there it raises where JAX finds no cluster.
    Example:
        >>> initialize()
    """
    start = "KERAS_DISTRIBUTION_"
    told = job_addresses or os.environ.get(f"{start}JOB_ADDRESSES") or ""
    count = num_processes or int(os.environ.get(f"{start}NUM_PROCESSES") or 1)
    count = max(count, len(told.split(",")))
    if count > 1:
        rule = "training in several processes is not here: each would train alone"
        fix = "Start one process on a machine with all devices."
        raise UnsupportedError(message(f"{_WHO}.initialize", rule, f"{count} processes", fix))


@contextmanager
def device(device_name: Any) -> Iterator[None]:
    """A block whose tensors and programs are made on a device.

    Args:
        device_name: As 'cpu:0', 'gpu', '/GPU:1', or a device of JAX's. One that is not there is
            left out with a warning.
    Raises:
        ArgumentError: The name is in another form.
    Example:
        >>> with device("cpu:0"):
        ...     len(jax.numpy.ones(2).devices())
        1
    """
    found = _device(device_name)
    if found is None:
        warn(f"keras.device: there is no {device_name!r} here; the block runs on the default one.")
        yield
        return
    with jax.default_device(found):
        yield


_KINDS = {"cuda": "gpu", "rocm": "gpu"}


def _device(name: Any) -> Any:
    """The device of a name; None where there is none."""
    if not isinstance(name, str):
        return name
    form = re.fullmatch(r"(?:/?device:|/)?([a-z]+)(?::(\d+))?", name.lower())
    if form is None:
        rule = "a device's name must be a kind and a number"
        raise ArgumentError(message("keras.device", rule, repr(name), "Write it as 'gpu:0'."))
    kind, number = _KINDS.get(form[1], form[1]), int(form[2] or 0)
    try:
        return jax.devices(kind)[number]
    except (RuntimeError, IndexError):
        return None


class DeviceMesh:
    """Devices in a grid whose axes have names.

    Args:
        shape: Sizes of the grid.
        axis_names: A name for each axis.
        devices: Names such as 'cpu:0', or devices of JAX's; all there are by default.
    Raises:
        ArgumentError: Sizes, names and devices do not fit.
    Example:
        >>> DeviceMesh((1, 1), ["data", "model"], list_devices()[:1])
        <DeviceMesh shape=(1, 1), axis_names=['data', 'model']>
    """

    def __init__(
        self, shape: Sequence[int], axis_names: Sequence[str], devices: Any = None
    ) -> None:
        self.shape, self.axis_names = tuple(shape or ()), list(axis_names or ())
        if not self.shape or len(self.shape) != len(self.axis_names):
            rule = "each axis of the mesh must have a size and a name"
            got = f"shape={self.shape}, axis_names={self.axis_names}"
            raise ArgumentError(message(f"{_WHO}.DeviceMesh", rule, got))
        found = np.array(list_devices() if devices is None else devices).ravel()
        if int(np.prod(self.shape)) != found.size:
            rule = f"a mesh of shape {self.shape} must have {int(np.prod(self.shape))} devices"
            fix = "Take as many of list_devices() as the sizes multiply to."
            raise ArgumentError(message(f"{_WHO}.DeviceMesh", rule, f"{found.size}", fix))
        self.devices = found.reshape(self.shape)

    @property
    def backend_mesh(self) -> Mesh:
        """The mesh as JAX has it.

        Raises:
            ArgumentError: One of the devices is not here.
        """
        found = [_device(name if not isinstance(name, np.str_) else str(name))
                 for name in self.devices.ravel()]  # fmt: skip
        if None in found:
            rule = "the devices of the mesh must be here"
            fix = "See nacre.distribution.list_devices()."
            got = str(self.devices.ravel()[found.index(None)])
            raise ArgumentError(message(f"{_WHO}.DeviceMesh", rule, got, fix))
        return Mesh(np.array(found).reshape(self.shape), tuple(self.axis_names))

    def __repr__(self) -> str:
        return f"<DeviceMesh shape={self.shape}, axis_names={self.axis_names}>"


class TensorLayout:
    """Along which axes of a mesh those of a tensor are divided.

    Args:
        axes: For each axis of the tensor the name of one of the mesh's, or None: not divided.
        device_mesh: The mesh.
    Raises:
        ArgumentError: The mesh has no such axis, or one is named twice.
    Example:
        >>> TensorLayout((None, "data"), DeviceMesh((1,), ["data"], list_devices()[:1])).axes
        (None, 'data')
    """

    def __init__(self, axes: Sequence[str | None], device_mesh: DeviceMesh | None = None) -> None:
        self.axes = tuple(axes)
        named = [axis for axis in self.axes if axis is not None]
        if len(set(named)) < len(named):
            rule = "an axis of the mesh must divide one axis of the tensor"
            raise ArgumentError(message(f"{_WHO}.TensorLayout", rule, f"axes={self.axes}"))
        self._mesh: DeviceMesh | None = None
        if device_mesh is not None:
            self.device_mesh = device_mesh

    @property
    def device_mesh(self) -> DeviceMesh | None:
        """The mesh; set once.

        Raises:
            ArgumentError: There is one already, or the new one has not the axes.
        """
        return self._mesh

    @device_mesh.setter
    def device_mesh(self, device_mesh: DeviceMesh) -> None:
        who = f"{_WHO}.TensorLayout"
        if self._mesh is not None:
            raise ArgumentError(message(who, "the mesh is set once", f"a second: {device_mesh}"))
        missing = {axis for axis in self.axes if axis is not None} - set(device_mesh.axis_names)
        if missing:
            rule = f"axes must be among {device_mesh.axis_names}"
            raise ArgumentError(message(who, rule, ", ".join(sorted(map(repr, missing)))))
        self._mesh = device_mesh

    @property
    def backend_layout(self) -> NamedSharding:
        """The layout as JAX has it.

        Raises:
            ArgumentError: No mesh is set.
        """
        if self._mesh is None:
            who = f"{_WHO}.TensorLayout"
            raise ArgumentError(message(who, "it must have a mesh", "none", "Set device_mesh."))
        return NamedSharding(self._mesh.backend_mesh, PartitionSpec(*self.axes))

    def __repr__(self) -> str:
        return f"<TensorLayout axes={self.axes}, device_mesh={self._mesh}>"


class LayoutMap(MutableMapping[str, Any]):
    """Layouts of variables by regular expressions, searched in their paths.

    Args:
        device_mesh: The mesh of the layouts that are given as tuples of axes.
    Raises:
        ArgumentError: A key is set twice or no regular expression, or a path has several that fit.
    Example:
        >>> map = LayoutMap(DeviceMesh((1, 1), ["data", "model"], list_devices()[:1]))
        >>> map["dense.*kernel"] = (None, "model")
        >>> map["encoder/dense_1/kernel"].axes
        (None, 'model')
    """

    def __init__(self, device_mesh: DeviceMesh) -> None:
        self.device_mesh = device_mesh
        self._layouts: dict[str, TensorLayout] = {}

    def __getitem__(self, key: str) -> TensorLayout | None:
        found = fitting_key(self._layouts, key)
        return None if found is None else self._layouts[found]

    def __setitem__(self, key: str, layout: Any) -> None:
        who = f"{_WHO}.LayoutMap"
        if key in self._layouts:
            fix = "Delete the first one before."
            raise ArgumentError(message(who, "a key is set once", f"{key!r} again", fix))
        try:
            re.compile(key)
        except re.error as error:
            rule = "a key must be a regular expression"
            raise ArgumentError(message(who, rule, f"{key!r} ({error})")) from error
        if isinstance(layout, (tuple, list)):
            layout = TensorLayout(layout)
        if not isinstance(layout, TensorLayout):
            rule = "a layout must be a TensorLayout or a tuple of axes"
            raise ArgumentError(message(who, rule, repr(layout)))
        if layout.device_mesh is None:
            layout.device_mesh = self.device_mesh
        self._layouts[key] = layout
        self._lay_out_anew()

    def __delitem__(self, key: str) -> None:
        del self._layouts[key]
        self._lay_out_anew()

    def _lay_out_anew(self) -> None:
        """Let a change hold where this map is in force: programs go by the rules it had before."""
        in_force = distribution()
        if isinstance(in_force, ModelParallel) and in_force._map is self:
            set_distribution(in_force)

    def __len__(self) -> int:
        return len(self._layouts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layouts)


class Distribution:
    """How variables and batches lie on a mesh.

    Args:
        device_mesh: The mesh.
        batch_dim_name: The axis of the mesh that batches are divided along.
        auto_shard_dataset: Whether each process reads a part of the data; there is one process.
    Example:
        >>> DataParallel(devices=list_devices()[:1]).batch_dim_name
        'batch'
    """

    def __init__(
        self,
        device_mesh: DeviceMesh,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
    ) -> None:
        self.device_mesh = device_mesh
        self.batch_dim_name = batch_dim_name or device_mesh.axis_names[0]
        if self.batch_dim_name not in device_mesh.axis_names:
            rule = f"batch_dim_name must be among {device_mesh.axis_names}"
            who = f"{_WHO}.{type(self).__name__}"
            raise ArgumentError(message(who, rule, repr(self.batch_dim_name)))
        self.auto_shard_dataset = auto_shard_dataset

    num_processes = 1

    @property
    def num_model_replicas(self) -> int:
        """How many parts a batch is divided into."""
        return self.device_mesh.shape[self.device_mesh.axis_names.index(self.batch_dim_name)]

    def get_data_layout(self, data_shape: Sequence[int | None]) -> TensorLayout:
        """Where a batch of a shape lies."""
        axes = (self.batch_dim_name, *[None] * (len(data_shape) - 1))
        return TensorLayout(axes, self.device_mesh)

    def get_variable_layout(self, variable: Any) -> TensorLayout:
        """Where a variable lies."""
        return TensorLayout([None] * len(variable.shape), self.device_mesh)

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """What is asked for a layer's output; None: XLA's choice."""
        return None

    def distribute_dataset(self, dataset: Any) -> Any:
        """The data set: one process reads it all."""
        return dataset

    @contextmanager
    def scope(self) -> Iterator[None]:
        """A block in which this distribution is set."""
        before = distribution()
        set_distribution(self)
        try:
            yield
        finally:
            set_distribution(before)

    def _rules(self) -> tuple[tuple[str, PartitionSpec], ...]:
        return ()

    def _layout(self) -> Layout:
        mesh = self.device_mesh.backend_mesh
        return _SetLayout(mesh, self.batch_dim_name, self._rules(), self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} device_mesh={self.device_mesh}>"


class DataParallel(Distribution):
    """Variables on every device, batches divided among them.

    Args:
        device_mesh: The mesh; batches are divided along its first axis.
        devices: Devices in a row instead; all there are by default.
        auto_shard_dataset: Whether each process reads a part of the data; there is one process.
    Example:
        >>> DataParallel(devices=list_devices()[:1])
        <DataParallel device_mesh=<DeviceMesh shape=(1,), axis_names=['batch']>>
    """

    def __init__(
        self,
        device_mesh: DeviceMesh | None = None,
        devices: Any = None,
        auto_shard_dataset: bool = True,
    ) -> None:
        if device_mesh is None:
            found = np.array(list_devices() if devices is None else devices).ravel()
            device_mesh = DeviceMesh((found.size,), ["batch"], found)
        super().__init__(device_mesh, None, auto_shard_dataset)


class ModelParallel(Distribution):
    """Variables divided as a `LayoutMap` says, batches along one axis of the mesh.

    Args:
        layout_map: Layouts by path. Those for outputs of layers are left to XLA.
        batch_dim_name: The axis for batches; the first one by default.
        auto_shard_dataset: Whether each process reads a part of the data; there is one process.
        device_mesh: The mesh, which must be the map's own.
    Raises:
        ArgumentError: There is no map.
    Example:
        >>> map = LayoutMap(DeviceMesh((1, 1), ["data", "model"], list_devices()[:1]))
        >>> ModelParallel(layout_map=map).batch_dim_name
        'data'
    """

    def __init__(
        self,
        *,
        layout_map: LayoutMap | None = None,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
        device_mesh: DeviceMesh | None = None,
    ) -> None:
        who = f"{_WHO}.ModelParallel"
        if not isinstance(layout_map, LayoutMap):
            fix = "Pass layout_map=LayoutMap(mesh)."
            raise ArgumentError(message(who, "it must have a layout map", repr(layout_map), fix))
        if device_mesh is not None and device_mesh is not layout_map.device_mesh:
            raise ArgumentError(message(who, "the mesh must be the layout map's", "another"))
        super().__init__(layout_map.device_mesh, batch_dim_name, auto_shard_dataset)
        self._map = layout_map

    def get_variable_layout(self, variable: Any) -> TensorLayout:
        """Where a variable lies."""
        return self._map[variable.path] or super().get_variable_layout(variable)

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """What is asked for a layer's output; None: XLA's choice."""
        return self._map[path]

    def _rules(self) -> tuple[tuple[str, PartitionSpec], ...]:
        return tuple((key, PartitionSpec(*self._map._layouts[key].axes)) for key in self._map)


class _SetLayout(Layout):
    """The layout of a distribution that is set, which `distribution` gives back."""

    def __init__(self, mesh: Mesh, batch_axis: str, rules: Any, origin: Distribution) -> None:
        super().__init__(mesh, batch_axis, rules)
        object.__setattr__(self, "origin", origin)  # the class is frozen


def distribution() -> Distribution | None:
    """The distribution that is set.

    Example:
        >>> distribution() is None
        True
    """
    return getattr(current_layout(), "origin", None)


def set_distribution(value: Distribution | None) -> None:
    """Lay out the variables and batches of programs that are made from here on.

    Args:
        value: The distribution; None: one device.
    Raises:
        ArgumentError: It is none.
    Example:
        >>> set_distribution(DataParallel(devices=list_devices()[:1]))
        >>> distribution()
        <DataParallel device_mesh=<DeviceMesh shape=(1,), axis_names=['batch']>>
        >>> set_distribution(None)
    """
    if value is not None and not isinstance(value, Distribution):
        rule = "it must be a DataParallel, a ModelParallel or None"
        raise ArgumentError(message(f"{_WHO}.set_distribution", rule, repr(value)))
    put(layout=None if value is None else value._layout())


def distribute_tensor(tensor: Any, layout: Any) -> Any:
    """A tensor laid out on a mesh.

    Args:
        tensor: An array, or one within a program.
        layout: A `TensorLayout`, or a sharding of JAX's.
    Example:
        >>> layout = TensorLayout(("data",), DeviceMesh((1,), ["data"], list_devices()[:1]))
        >>> distribute_tensor(np.ones(2), layout).shape
        (2,)
    """
    sharding = layout.backend_layout if isinstance(layout, TensorLayout) else layout
    if is_tracer(tensor):
        return said_to_lie(tensor, sharding)
    return jax.device_put(getattr(tensor, "value", tensor), sharding)


__all__ = [
    "DataParallel",
    "DeviceMesh",
    "LayoutMap",
    "ModelParallel",
    "TensorLayout",
    "distribute_tensor",
    "distribution",
    "get_device_count",
    "initialize",
    "list_devices",
    "set_distribution",
]


def __dir__() -> list[str]:
    return sorted(__all__)
