"""Layers that work on texts, in a trace: JAX has no texts, so a text there is an array of numbers
that stands for it, and what is done with texts is one primitive, which becomes the op it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.export
import jax.numpy as jnp
from jax.interpreters import mlir

from nacre.core.errors import UnsupportedOpError, message
from nacre.core.names import with_underscores
from nacre.core.strings import HostString
from nacre.core.tracing import new_primitive
from nacre.export.capture import jaxpr
from nacre.layers.base.layer import Layer
from nacre.layers.preprocessing.encoding import encode
from nacre.layers.preprocessing.hashing import HashedCrossing, Hashing
from nacre.layers.preprocessing.host_layer import HostLayer
from nacre.layers.preprocessing.text import PUNCTUATION, TextVectorization
from nacre.layers.preprocessing.vocabulary import StringLookup

TEXT_DTYPE = "uint8"  # of the arrays that stand for texts

_text_op = new_primitive("text_op")
_text_op.def_abstract_eval(
    lambda *_, shape, dtype, **__: jax.core.ShapedArray(shape, jnp.dtype(dtype))
)


def _apply(op: str, x: Any, shape: Any = None, dtype: str = TEXT_DTYPE, **attributes: Any) -> Any:
    """The result of an op on texts, or on several inputs alike, or that gives some."""
    given = x if isinstance(x, list) else [x]
    return _text_op.bind(
        *given, op=op, shape=tuple(given[0].shape if shape is None else shape), dtype=dtype,
        attributes=tuple(sorted(attributes.items())),
    )  # fmt: skip


class HostCalls:
    """Answers the calls of layers that work on the host, in a trace."""

    def call(self, layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What a layer gives."""
        known = (RULES.get(cls) for cls in type(layer).__mro__)
        rule = next((found for found in known if found is not None), None)
        if rule is None or set(kwargs) - {"training"} or len(args) != 1:  # it is all the same
            raise _no_form(layer, "it works on the host")
        with jax.named_scope(jaxpr.LAYER + str(layer.name)):
            return rule(layer, args[0])


def _no_form(layer: Layer, why: str) -> UnsupportedOpError:
    return UnsupportedOpError(
        message(
            f"capture of {layer._who()}",
            "each thing a model computes must have a form in the graph",
            why,
            "Apply the layer in the data pipeline.",
        )
    )


Rule: TypeAlias = Callable[[Any, Any], Any]
RULES: dict[type[HostLayer], Rule] = {}


def _rule(cls: type[HostLayer]) -> Callable[[Rule], Rule]:
    def declare(rule: Rule) -> Rule:
        RULES[cls] = rule
        return rule

    return declare


def _texts(layer: Layer, inputs: Any) -> Any:
    """What stands for texts that a layer is given."""
    if not isinstance(inputs, HostString):
        raise _no_form(layer, "inputs that are no texts")
    return inputs.values


def as_text(token: Any) -> HostString:
    """Texts for layers, which stand for an array of the trace."""
    return HostString(token.shape, token)


def _indices(layer: StringLookup, texts: Any) -> Any:
    """The index of each token, as `StringLookup.place` says it; -1 for one that it refuses."""
    if layer.encoding.lower().replace("-", "") != "utf8":
        raise _no_form(layer, f"encoding={layer.encoding!r}")
    layer._ready_tokens()
    table = layer._index
    first, buckets = layer._first_oov(), layer.num_oov_indices
    missing = {0: -1, 1: first}.get(buckets, -2)
    found = _apply(
        "text_lookup", texts, dtype="int32", keys=tuple(table), values=tuple(table.values()),
        missing=missing,
    )  # fmt: skip
    if missing != -2:
        return found
    hashed = _apply("text_hash", texts, dtype="int32", buckets=buckets, salt=_salt(layer))
    return jnp.where(found == missing, hashed + first, found)


def _salt(layer: Any) -> tuple[int, int] | None:
    return None if layer.salt is None else (int(layer.salt[0]), int(layer.salt[1]))


@_rule(StringLookup)
def _string_lookup(layer: StringLookup, inputs: Any) -> Any:
    if not layer.invert:
        return layer._encoded(_indices(layer, _texts(layer, inputs)))
    texts = tuple(map(str, layer.get_vocabulary()))
    layer._ready_tokens()
    indices = jnp.asarray(inputs)
    return as_text(_apply("text_of_index", indices, texts=texts, missing=str(layer.oov_token)))


@_rule(TextVectorization)
def _text_vectorization(layer: TextVectorization, inputs: Any) -> Any:
    lookup = layer._lookup_layer
    for name in ("standardize", "split"):
        if callable(getattr(layer, name)):
            raise _no_form(layer, f"{name} is a function of Python's")
    texts, standardize = _texts(layer, inputs), layer.standardize or ""
    if "lower" in standardize:
        texts = _apply("text_lower", texts)
    if "strip" in standardize:
        texts = _apply("text_replace", texts, pattern=PUNCTUATION, replacement="")
    if layer.split is None and layer.ngrams is None:
        if layer.output_mode == "int":
            return _indices(lookup, texts)
        tokens = jnp.reshape(texts, (texts.shape[0], -1))
    else:
        layer._check_shape(texts.shape)
        tokens = _split(layer, jnp.reshape(texts, (texts.shape[0],)))
    indices = _indices(lookup, tokens)
    if layer.output_mode == "int":
        return indices
    mode = "multi_hot" if layer.output_mode == "multi_hot" else "count"
    vectors = encode(indices, lookup._depth or 0, mode, lookup._vector_dtype)
    return vectors * lookup._weights() if layer.output_mode == "tf_idf" else vectors


def _split(layer: TextVectorization, texts: Any) -> Any:
    """The tokens of texts, (batch, length); a length that only a run tells has a name."""
    sizes = layer.ngrams
    if isinstance(sizes, int):
        sizes = range(1, sizes + 1)
    length = layer.output_sequence_length
    if length is None:
        batch = texts.shape[0]
        scope = getattr(batch, "scope", None) or jax.export.SymbolicScope()
        (length,) = jax.export.symbolic_shape(f"{with_underscores(layer.name)}_length", scope=scope)
    return _apply(
        "text_split", texts, (texts.shape[0], length), by=layer.split or "nothing",
        ngrams=tuple(int(n) for n in sizes or ()), length=length,
    )  # fmt: skip


@_rule(Hashing)
def _hashing(layer: Hashing, inputs: Any) -> Any:
    masked: Any = None
    if isinstance(inputs, HostString):
        texts = inputs.values
    else:
        values = jnp.asarray(inputs)
        texts = _apply("text_from_int", values)
    buckets = layer.num_bins
    if layer.mask_value is not None:
        buckets -= 1
        key = (_decimal(layer.mask_value),)
        masked = _apply("text_lookup", texts, dtype="int32", keys=key, values=(1,), missing=0)
    bins = _apply("text_hash", texts, dtype="int32", buckets=buckets, salt=_salt(layer))
    if masked is not None:
        bins = jnp.where(masked == 1, 0, bins + 1)
    if layer.output_mode == "int":
        return bins
    return encode(bins, layer.num_bins, layer.output_mode, layer.compute_dtype)


@_rule(HashedCrossing)
def _crossing(layer: HashedCrossing, inputs: Any) -> Any:
    shape = layer._check_features(inputs)
    features: list[Any] = [
        x.values if isinstance(x, HostString) else jnp.asarray(x) for x in inputs
    ]
    for x, given in zip(features, inputs, strict=True):
        if not isinstance(given, HostString) and x.dtype.kind not in "iub":
            raise _no_form(layer, f"a feature of dtype {x.dtype}")
    bins = _apply("text_cross", features, shape, "int32", buckets=layer.num_bins)
    if layer.output_mode == "int":
        return bins
    return encode(bins, layer.num_bins, layer.output_mode, layer.compute_dtype)


def _decimal(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _refuse_lowering(*_: Any, **__: Any) -> Any:
    raise NotImplementedError("texts are no arrays")


mlir.register_lowering(_text_op, _refuse_lowering)
