"""The compiled libraries: one `.cc` file each, with the handlers that XLA calls.

`LIBRARIES` are those of handlers; `RESIZING` is called by Python itself, on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax

from nacre.ops.kernels.native import build


@dataclass(frozen=True)
class Library:
    """One library: its sources and the functions in it.

    Args:
        name: Part of its file's name.
        sources: The `.cc` file and the headers it includes.
        handlers: Its functions that XLA calls; none where Python calls it.
        companions: Names of the libraries that programs mostly need with it, soonest first.
    """

    name: str
    sources: tuple[str, ...]
    handlers: tuple[str, ...]
    companions: tuple[str, ...] = ()

    def targets(self) -> Mapping[str, str]:
        """Call targets by handler; empty without a compiler or with native kernels switched off."""
        return {} if build.is_switched_off() else self.outcome().targets

    def outcome(self) -> build.Outcome:
        """The library, built now if it has not been, or why there is none."""
        sources = {each.name: each.sources for each in LIBRARIES}
        companions = {name: sources[name] for name in self.companions}
        return build.build(self.name, self.sources, self.handlers, companions)

    def availability(self) -> tuple[bool, str]:
        """Whether there is a library or can be, and in words; nothing is built for it."""
        return build.availability(self.name, self.sources, self.handlers)

    def call(
        self,
        handler: str,
        results: Any,
        *,
        in_place: Mapping[int, int] | None = None,
        takes_samples: bool = False,
    ) -> Callable[..., Any]:
        """A function of arrays and attributes (`numpy.int64`) that runs a handler.

        Args:
            results: Shape and dtype of the result, or of each.
            in_place: argument -> the result that may lie in its memory. What is still to be read
                there is copied by XLA before.
            takes_samples: Under `jax.vmap` the handler gets one more axis in front of all arrays,
                those that are not mapped repeated along it. By default it is called once for each
                sample.
        """
        # Whoever calls has found targets before: a switch thrown in between changes nothing here.
        target = self.outcome().targets[handler]
        return jax.ffi.ffi_call(
            target,
            results,
            vmap_method="broadcast_all" if takes_samples else "sequential",
            input_output_aliases=None if in_place is None else dict(in_place),
        )


ACTIVATION = Library(
    "activation",
    ("activation.cc", "handler.h"),
    ("activation_forward", "activation_gradient"),
    companions=("layer_norm", "attention", "adam"),
)
ADAM = Library("adam", ("adam.cc", "handler.h"), ("adam_update",))
ATTENTION = Library(
    "attention",
    ("attention.cc", "products.h", "handler.h"),
    ("attention_forward", "attention_look", "attention_backward"),
    companions=("layer_norm", "activation"),
)
CLASSES = Library(
    "classes",
    ("classes.cc", "handler.h"),
    ("classes_highest", "classes_entropy", "classes_entropy_gradient"),
    companions=("adam",),
)
CONVOLUTION = Library(
    "convolution",
    ("convolution.cc", "depthwise.h", "handler.h", "sliding.h"),
    ("convolution_slide", "convolution_collect"),
    companions=("pooling", "dense", "adam"),
)
DENSE = Library(
    "dense",
    ("dense.cc", "matrix.h", "handler.h"),
    ("dense_forward", "dense_input_gradient", "dense_kernel_gradient"),
    companions=("adam", "attention"),
)
GUARD = Library("guard", ("guard.cc", "handler.h"), ("guard_choose",))
HALVES = Library(
    "halves",
    ("halves.cc", "matrix.h", "handler.h"),
    ("halves_forward", "halves_input_gradient", "halves_kernel_gradient"),
    companions=("adam", "attention", "layer_norm", "activation"),
)
LAYER_NORM = Library(
    "layer_norm",
    ("layer_norm.cc", "handler.h"),
    ("layer_norm_forward", "layer_norm_backward"),
    companions=("attention", "dense", "activation", "adam", "classes"),
)
NIBBLES = Library(
    "nibbles",
    ("nibbles.cc", "handler.h"),
    ("nibbles_product", "nibbles_bytes"),
    companions=("layer_norm", "attention", "activation"),
)
POOLING = Library(
    "pooling",
    ("pooling.cc", "sliding.h", "handler.h"),
    ("pooling_highest", "pooling_put"),
    companions=("convolution", "adam"),
)
QUANTIZED = Library(
    "quantized",
    ("quantized.cc", "handler.h"),
    ("quantized_dense", "quantized_table", "quantized_matmul"),
    companions=("layer_norm", "attention", "activation"),
)
RECURRENT = Library(
    "recurrent",
    ("recurrent.cc", "products.h", "handler.h"),
    tuple(f"{kind}_{way}" for kind in ("lstm", "gru", "simple") for way in ("forward", "backward")),
    companions=("dense", "adam"),
)
RESIZING = Library("resizing", ("resizing.cc",), ())
LIBRARIES = (
    ACTIVATION,
    ADAM,
    ATTENTION,
    CLASSES,
    CONVOLUTION,
    DENSE,
    GUARD,
    HALVES,
    LAYER_NORM,
    NIBBLES,
    POOLING,
    QUANTIZED,
    RECURRENT,
)
