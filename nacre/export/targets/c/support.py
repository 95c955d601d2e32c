"""What the C files can hold, and what to write instead of what they cannot."""

from __future__ import annotations

from nacre.export.targets.c.forms import FORMS
from nacre.export.targets.c.types import TYPES
from nacre.export.targets.support import Support

_TEXTS = "Texts stay outside: split the preprocessing off, and export the rest."
_COMPLEX = "C has no complex numbers here: split this part off."
_RANDOM = "Numbers are drawn outside: make them an input."

SUPPORT = Support(
    title="C",
    forms=FORMS.by_op,
    limits=FORMS.limits,
    dtypes=frozenset(TYPES),
    advice={
        **dict.fromkeys(("fft", "real", "imag", "complex"), _COMPLEX),
        **dict.fromkeys(("random_uniform", "random_normal", "random_bits"), _RANDOM),
        **dict.fromkeys(
            "text_from_int text_lower text_replace text_split text_lookup text_of_index "
            "text_hash".split(),
            _TEXTS,
        ),
    },
    instead="export as format='npz', which has all ops",
)

__all__ = ["SUPPORT"]
