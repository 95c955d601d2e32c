"""A recurrent layer and its mirror image, one in each direction of time."""

from __future__ import annotations

from typing import Any, Unpack

from nacre import ops
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.registry import CustomObjectScope, plain_config, register
from nacre.layers.base.configuring import add_activity_regularizer
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import WithoutWeights
from nacre.layers.base.layer import Layer

MERGE_MODES = ("sum", "mul", "ave", "concat", None)


@register("layers/Bidirectional")
class Bidirectional(Layer):
    """Run a recurrent layer forwards, a copy of it backwards, and join the two outputs.

    Choose it when the whole sequence is known, so that later steps may explain earlier ones.

    Args:
        layer: A recurrent layer; a copy of it runs forwards.
        merge_mode: How the outputs are joined: 'concat', 'sum', 'mul', 'ave', or None for a pair.
        weights: First values, those of the forward layer before those of the backward layer.
        backward_layer: The layer that runs backwards (with go_backwards=True); by default a copy
            of `layer`.
    Shapes:
        sequences      (batch, time, features)
        initial_state  the forward layer's states, then the backward layer's
        returns        (batch, 2 units), or (batch, time, 2 units) when `layer` returns sequences;
                       units alone unless merge_mode is 'concat'; with return_state a tuple of that
                       and the states of both layers
    Raises:
        ArgumentError: The merge mode is unknown, or the two layers do not fit each other.
    Source:
        Schuster & Paliwal 1997. Masked steps of returned sequences are zeros, as in Keras 3.
    Example:
        >>> import nacre
        >>> layer = Bidirectional(nacre.layers.LSTM(4, return_sequences=True))
        >>> layer(nacre.ops.ones((2, 5, 3))).shape
        (2, 5, 8)
    """

    casts_inputs = False  # the layers within do, each for itself

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Unpack[WithoutWeights],
    ) -> None:
        super().__init__(weights=weights, **kwargs)
        self._check_recurrent(layer, "layer")
        if merge_mode not in MERGE_MODES:
            raise ArgumentError(
                message(self._who(), f"merge_mode must be one of {MERGE_MODES}", repr(merge_mode))
            )
        self.merge_mode = merge_mode
        self.forward_layer = _copy(layer, f"forward_{layer.name.removeprefix('forward_')}")
        if backward_layer is None:
            name = f"backward_{layer.name.removeprefix('forward_')}"
            self.backward_layer = _copy(layer, name, go_backwards=not layer.go_backwards)
        else:
            self._check_recurrent(backward_layer, "backward_layer")
            self.backward_layer = backward_layer
            self._check_pair()
        self.stateful = layer.stateful
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.supports_masking = True
        # Not the layer's own spec: one that is built already also fixes its features.
        spec = layer.input_spec
        self.input_spec = None if spec is None else InputSpec(ndim=spec.ndim)
        if self.return_sequences:
            # A repeated last output would be the first one of the other direction.
            for each in (self.forward_layer, self.backward_layer):
                each.zero_output_for_mask = True

    def _check_recurrent(self, layer: Any, name: str) -> None:
        needed = ("go_backwards", "return_sequences", "return_state", "stateful")
        if not isinstance(layer, Layer) or any(not hasattr(layer, n) for n in needed):
            raise ArgumentError(
                message(
                    self._who(),
                    f"{name} must be a recurrent layer such as LSTM, GRU or RNN",
                    f"a {type(layer).__name__}",
                )
            )

    def _check_pair(self) -> None:
        ahead, back = self.forward_layer, self.backward_layer
        if ahead.go_backwards == back.go_backwards:
            raise ArgumentError(
                message(
                    self._who(),
                    "layer and backward_layer must run in different directions",
                    f"go_backwards={ahead.go_backwards} in both",
                    "Make the backward layer with go_backwards=True.",
                )
            )
        for name in ("stateful", "return_sequences", "return_state"):
            if getattr(ahead, name) != getattr(back, name):
                raise ArgumentError(
                    message(
                        self._who(),
                        f"layer and backward_layer must have the same {name}",
                        f"{getattr(ahead, name)} and {getattr(back, name)}",
                    )
                )

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build both layers."""
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(sequences_shape)

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
    ) -> Any:
        """Run both layers and join their outputs."""
        ahead, back = self._split_states(initial_state)
        results = [
            _as_list(layer(sequences, initial_state=states, mask=mask, training=training))
            for layer, states in ((self.forward_layer, ahead), (self.backward_layer, back))
        ]
        (y, *states), (y_back, *states_back) = results
        if self.return_sequences:
            y_back = ops.flip(y_back, axis=1)
        merged = self._merge(y, y_back)
        if not self.return_state:
            return merged
        first = merged if isinstance(merged, tuple) else (merged,)
        return (*first, *states, *states_back)

    def _split_states(self, initial_state: Any) -> tuple[Any, Any]:
        if initial_state is None:
            return None, None
        states = _as_list(initial_state)
        if len(states) % 2:
            raise ShapeError(
                message(
                    self._who(),
                    "initial_state must hold the states of both layers",
                    f"{len(states)} array(s)",
                    "Pass the forward layer's states, then the backward layer's.",
                )
            )
        half = len(states) // 2
        return states[:half], states[half:]

    def _merge(self, y: Any, y_back: Any) -> Any:
        if self.merge_mode is None:
            return y, y_back
        if self.merge_mode == "concat":
            return ops.concatenate([y, y_back], axis=-1)
        if y.shape != y_back.shape:
            raise ShapeError(
                message(
                    self._who(),
                    f"merge_mode={self.merge_mode!r} needs outputs of one shape",
                    f"{tuple(y.shape)} and {tuple(y_back.shape)}",
                    "Use merge_mode='concat' or None.",
                )
            )
        if self.merge_mode == "mul":
            return y * y_back
        total = y + y_back
        return total / 2 if self.merge_mode == "ave" else total

    def compute_mask(self, sequences: Any, mask: Any) -> Any:
        """The mask of the outputs when all steps are returned; None for the states."""
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        one = mask if self.return_sequences else None
        if one is not None and self.forward_layer.go_backwards:
            one = ops.flip(one, axis=1)  # both outputs are in the forward layer's order
        masks = [one, one] if self.merge_mode is None else [one]
        if self.return_state:
            masks += [None] * (_num_states(self.forward_layer) + _num_states(self.backward_layer))
        return masks[0] if len(masks) == 1 else tuple(masks)

    @property
    def states(self) -> Any:
        """The state variables of both layers when they are stateful, else None."""
        if self.forward_layer.states is None:
            return None
        return (*self.forward_layer.states, *self.backward_layer.states)

    def reset_states(self) -> None:
        """Set the states of both layers to zeros."""
        for layer in (self.forward_layer, self.backward_layer):
            layer.reset_states()

    def reset_state(self) -> None:
        """Set the states of both layers to zeros."""
        self.reset_states()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data, both layers with the names they have now."""
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": plain_config(self.dtype_policy),
            "merge_mode": self.merge_mode,
            "layer": plain_config(self.forward_layer),
            "backward_layer": plain_config(self.backward_layer),
        }
        add_activity_regularizer(self, config)
        return config


def _copy(layer: Layer, name: str, **changes: Any) -> Any:
    """A new layer with the same arguments, classes of its cells included."""
    classes = {type(part).__name__: type(part) for part in layer._flatten_layers()}
    with CustomObjectScope(classes):
        return type(layer).from_config({**layer.get_config(), "name": name, **changes})


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _num_states(layer: Any) -> int:
    """How many outputs a layer's states are."""
    size = layer.state_size
    return len(size) if isinstance(size, list | tuple) else 1
