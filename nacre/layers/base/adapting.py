"""How a layer's weights are replaced by something smaller or something trained beside them.

A layer knows nothing of low-rank adaptation or quantization: it names the weights that can be
adapted (`adaptable`), and holds one `Adapter`, which changes how these weights are kept, used and
saved. Adapters are in `nacre.layers.adapters`; each registers itself here under its mode.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from nacre.core.errors import ArgumentError, NotBuiltError, UnsupportedError, listed, message
from nacre.core.policies import QUANTIZATION_MODES, DTypePolicyMap, unknown_mode
from nacre.core.registry import is_builtin
from nacre.core.variable import Variable
from nacre.core.warning import warn

# mode -> makes the adapter of a layer.
_MAKERS: dict[str, Callable[..., Adapter]] = {}


class Adapter:
    """What stands between a layer and its adapted weights.

    Args:
        layer: The layer.
    """

    # Whether `enable_lora` may come on top.
    takes_lora = True

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    @property
    def acts_on_steps(self) -> bool:
        """Whether each step of a sequence stays computed from that step alone."""
        return True

    def saved_variables(self) -> list[Variable]:
        """The variables as files keep them, in order."""
        raise NotImplementedError(f"{type(self).__name__} must define saved_variables")

    def saved_values(self) -> list[Any]:
        """The arrays that go into files, in the order of `saved_variables`."""
        return [variable.numpy() for variable in self.saved_variables()]

    def after_loading(self) -> None:
        """Called when `saved_variables` got their values from a file."""


def register_adapter(mode: str) -> Callable[[Callable[..., Adapter]], Callable[..., Adapter]]:
    """Decorator: the adapter that `mode` stands for ('lora' or a quantization mode)."""

    def mark(maker: Callable[..., Adapter]) -> Callable[..., Adapter]:
        _MAKERS[mode] = maker
        return maker

    return mark


class Adaptable:
    """A layer whose weights adapters may replace.

    `adaptable` names its weights in the order files keep them, the first of which takes the
    low-rank change.
    """

    adaptable: tuple[str, ...] = ("kernel",)
    lora_rank: int | None = None
    lora_alpha: float | None = None
    lora_enabled = False

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freeze the weight and train a low-rank change of it from now on.

        Args:
            rank: Rank of the change.
            lora_alpha: The change is scaled by `lora_alpha / rank`; `rank` by default.
            a_initializer: Initializer of A.
            b_initializer: Initializer of B; zeros leave the output as it is at first.

        Raises:
            NotBuiltError: The layer has no weights yet.
            ArgumentError: A second call, a rank below 1, or a weight with a constraint, which the
                change would break.
        """
        _MAKERS["lora"](self, rank, lora_alpha, a_initializer, b_initializer)


def quantize(layer: Any, mode: str | None, type_check: bool, config: Any) -> None:
    """Quantize one layer; see `Layer.quantize`."""
    mode, config = resolve(layer._who(), mode, config)
    supported = getattr(layer, "quantizable", ())
    if mode not in supported or (type_check and not _is_plain(layer)):
        raise UnsupportedError(_unsupported(layer, mode, supported))
    _require_built(layer, "a layer")
    if layer.quantization_mode is not None:
        raise ArgumentError(
            message(
                layer._who(),
                "a layer can be quantized once",
                f"mode {mode!r} for a layer of policy '{layer.dtype_policy.name}'",
                "Quantize a new layer that has the float weights.",
            )
        )
    _MAKERS[mode](layer, config)


def restore(layer: Any) -> None:
    """Give a layer that was just built the adapters its arguments and its policy ask for."""
    mode = layer.quantization_mode
    if mode is not None and layer._adapter is None and mode in getattr(layer, "quantizable", ()):
        if mode in ("gptq", "awq"):
            raise UnsupportedError(refused_algorithm(layer._who(), mode))
        _MAKERS[mode](layer, layer.quantization_config)
    if getattr(layer, "lora_rank", None) and not layer.lora_enabled:
        layer.enable_lora(layer.lora_rank, layer.lora_alpha)


def quantize_model(model: Any, mode: str | None, config: Any, filters: Any) -> None:
    """Quantize all layers within a model that can be; see `Model.quantize`."""
    mode, config = resolve(model._who(), mode, config)
    _require_built(model, "a model")
    left: list[str] = []
    within = [
        layer for layer in model._flatten_layers(include_self=False) if not layer._direct_layers()
    ]
    chosen = [layer for layer in within if _chosen(layer, filters)]
    if within and not chosen and not callable(filters):  # what programs decide may be none
        who, got = (
            f"{model._who()}.quantize",
            listed([layer.name for layer in within if layer.weights]),
        )
        raise ArgumentError(
            message(who, "filters must be found in the name of a layer", f"{filters!r} for {got}")
        )
    for layer in chosen:
        try:
            layer.quantize(mode, config=config)
        except UnsupportedError:
            if layer.weights:
                left.append(layer._who())
    if left:
        warn(
            message(
                f"{model._who()}.quantize",
                f"these layers keep their float weights, as they have no form for {mode!r}",
                listed(left),
                "Pass filters= to choose the layers and silence this.",
            ),
        )


def _require_built(layer: Any, kind: str) -> None:
    if not layer.built:
        raise NotBuiltError(
            message(
                layer._who(),
                "it must be built before it is quantized",
                f"{kind} without weights",
                "Call it once on data, or build(input_shape).",
            )
        )


def _chosen(layer: Any, filters: Any) -> bool:
    """Whether a layer's name passes the filters."""
    if filters is None:
        return True
    if isinstance(filters, str):
        return re.search(filters, layer.name) is not None
    if isinstance(filters, list | tuple) and all(isinstance(f, str) for f in filters):
        return any(re.search(f, layer.name) for f in filters)
    if callable(filters):
        return bool(filters(layer))
    raise ArgumentError(
        message(
            "quantize",
            "filters must be a regular expression, a list of them, or a function of a layer",
            repr(filters),
        )
    )


def resolve(who: str, mode: str | None, config: Any) -> tuple[str, Any]:
    """Mode and config from whichever of them was given."""
    if mode is None and config is None:
        raise ArgumentError(
            message(
                f"{who}.quantize",
                "mode or config must be given",
                "neither",
                "Pass 'int8', 'int4' or 'float8'.",
            )
        )
    if mode is None:
        mode = config.mode
    if mode not in QUANTIZATION_MODES:
        raise ArgumentError(unknown_mode(f"{who}.quantize", mode, QUANTIZATION_MODES))
    if config is not None and config.mode != mode:
        raise ArgumentError(
            message(
                f"{who}.quantize",
                "mode and config must say the same",
                f"mode={mode!r} and a config for {config.mode!r}",
                "Pass one of them.",
            )
        )
    if mode in ("gptq", "awq"):
        raise UnsupportedError(refused_algorithm(f"{who}.quantize", mode))
    return mode, config


def refused_algorithm(who: str, mode: str) -> str:
    """The message for the modes that need calibration."""
    return message(
        who,
        "mode must be 'int8', 'int4' or 'float8'; nacre does not calibrate weights on data",
        repr(mode),
        "For 4-bit weights with a scale and a zero point for each block use "
        "quantize(config=Int4QuantizationConfig(block_size=128)).",
    )


def _is_plain(layer: Any) -> bool:
    """Whether the layer's `call` is the built-in one, which an adapter can stand in for."""
    return is_builtin(type(layer))


def _unsupported(layer: Any, mode: str, supported: tuple[str, ...]) -> str:
    name = type(layer).__name__
    if supported and not _is_plain(layer):
        return message(
            layer._who(),
            "a class of your own is not quantized by itself, as its call() would be passed over",
            f"mode {mode!r} for class {name}",
            "If call() is the built-in one, pass type_check=False.",
        )
    if supported:
        modes = ", ".join(map(repr, supported))
        return message(layer._who(), f"mode must be among {modes} for {name}", repr(mode))
    return message(
        layer._who(),
        "only Dense, EinsumDense, Embedding and ReversibleEmbedding can be quantized",
        f"mode {mode!r} for {name}",
        "Call model.quantize(), which passes over other layers.",
    )


def policy_of_parts(layer: Any) -> Any:
    """The policy a composite layer's config must carry so that its parts come back quantized.

    Its keys begin with the layer's own name: whatever the layer will be put into goes before.
    """
    if isinstance(layer.dtype_policy, DTypePolicyMap):
        return layer.dtype_policy
    inner = [part for part in layer._flatten_layers(include_self=False) if part.quantization_mode]
    policies = DTypePolicyMap(layer.dtype_policy)
    for part in inner:
        _, found, rest = f"/{part.path}".partition(f"/{layer.name}/")
        if found and part.quantization_mode != layer.quantization_mode:
            policies[f"(.*/)?{re.escape(layer.name)}/{re.escape(rest)}"] = part.dtype_policy
    return policies if len(policies) else layer.dtype_policy
