"""`TFSMLayer`: a function of a SavedModel as a layer, with its variables as weights."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jax

from nacre.core import safety
from nacre.core.context import changed, current
from nacre.core.errors import SerializationError, UnsupportedError, message
from nacre.core.registry import register
from nacre.core.strings import is_text
from nacre.export.importers.tensorflow.program import open_saved_model
from nacre.export.importers.trial_shapes import shapes_by_trial
from nacre.layers.base.layer import Layer
from nacre.layers.core.configs import explicit_config
from nacre.layers.preprocessing.host_layer import Recording, Replaying


@register("layers/TFSMLayer")
class TFSMLayer(Layer):
    """Use a SavedModel of TensorFlow as a layer, without TensorFlow.

    Its variables become the layer's weights: those that were trainable are trained, are saved with
    the model, and are frozen by `trainable=False`. Choose it to build on a model of TensorFlow or
    of TensorFlow Hub; to only call one, `nacre.saving.open_saved_model` is enough.

    Args:
        filepath: The SavedModel's folder.
        call_endpoint: What is called: a function or a signature that was saved; `serve` is what
            `model.export()` writes, `serving_default` what others do.
        call_training_endpoint: What is called in training, where it is another.
        trainable: Whether its trainable variables are trained.
        name: Name of the layer.
        dtype: Its dtype policy; the graph computes in its own dtypes.
    Shapes:
        inputs, outputs: as the function takes and gives them: one array, or a dict, list or tuple
    Raises:
        FileFormatError: It is no SavedModel.
        ArgumentError: It has no such endpoint.
        SerializationError: A file that is opened in safe mode holds such a layer: its path would be
            read.
    Source:
        Interface: Keras 3.15. Differs: weights are named as in the SavedModel; an output without
        gradient in TensorFlow has none here either.
    Example:
        >>> layer = TFSMLayer("resnet", call_endpoint="serving_default")   # doctest: +SKIP
        >>> layer(images).shape                                            # doctest: +SKIP
        (8, 1000)
    """

    traces_shapes = True
    _takes_strings = True  # its program says whether it does

    def __init__(
        self,
        filepath: Any,
        call_endpoint: str = "serve",
        call_training_endpoint: str | None = None,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(trainable=trainable, name=name, dtype=dtype)
        self.filepath = str(Path(filepath))
        self.call_endpoint = call_endpoint
        self.call_training_endpoint = call_training_endpoint
        self._program = open_saved_model(filepath)
        names: dict[str, int] = {}
        for variable in self._program.variables:
            name = variable.name.replace("/", "_")
            names[name] = names.get(name, 0) + 1
            weight = self.add_weight(
                name=name if names[name] == 1 else f"{name}_{names[name] - 1}",
                shape=variable.shape,
                dtype=variable.dtype,
                initializer=variable.numpy(),
                trainable=variable.trainable,
                autocast=False,  # the graph computes in its own dtypes
            )
            self._program.replace(variable, weight)
        self._serve = self._program.endpoint(call_endpoint)
        self._train = self._serve
        if call_training_endpoint is not None:
            self._train = self._program.endpoint(call_training_endpoint)
        self.built = True

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """What the endpoint gives; in training, what the one for training gives."""
        function = self._train if training else self._serve
        calls = current().host_calls
        if calls is not None and self._train is not self._serve and _has_strings(inputs):
            # The host's part of both is made for each batch, in this order.
            is_recording = isinstance(calls, Recording)
            if training or is_recording:
                with self._program.trial():
                    self._serve(inputs)
            function = self._train if is_recording else function
        leaves, structure = jax.tree.flatten(inputs)
        shapes = [tuple(leaf.shape) for leaf in leaves]
        if all(isinstance(n, int) for shape in shapes for n in shape):
            return function(inputs)
        is_staged = isinstance(calls, Recording | Replaying)
        if calls is not None and not is_staged:  # a graph is made of what is computed
            raise UnsupportedError(
                message(
                    self._who(),
                    "the program of a SavedModel is no part of another graph for any size",
                    f"inputs of shapes {[tuple(map(str, leaf.shape)) for leaf in leaves]}",
                    "Save as .keras, or give the Input its whole shape, with a batch_size.",
                )
            )

        def tried(given: Any) -> Any:
            with self._program.trial(), changed(host_calls=None):
                return jax.eval_shape(functools.partial(function, given))

        return shapes_by_trial(tried, leaves, structure, self._who())

    def get_config(self) -> dict[str, Any]:
        """The arguments; the path of the SavedModel, not what is in it."""
        return explicit_config(
            self,
            filepath=self.filepath,
            call_endpoint=self.call_endpoint,
            call_training_endpoint=self.call_training_endpoint,
        )

    @classmethod
    def from_config(cls, config: dict[str, Any], safe_mode: bool | None = None) -> Any:
        """Make the layer a config describes; the folder it names is read where files are trusted.

        Raises:
            SerializationError: `safe_mode` is not False.
        """
        with safety.reading(safe_mode, config):
            if not safety.may_run_code():
                raise SerializationError(
                    message(
                        f"TFSMLayer '{config.get('name', '')}'",
                        "opening a file must not read other files that it names",
                        f"the SavedModel {config.get('filepath')!r}",
                        "If you trust the file: load_model(path, safe_mode=False).",
                    )
                )
            return super().from_config(config)


def _has_strings(inputs: Any) -> bool:
    return any(is_text(leaf) for leaf in jax.tree.leaves(inputs))


__all__ = ["TFSMLayer"]
