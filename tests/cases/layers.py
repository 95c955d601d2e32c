"""All layer cases in one table, by id."""

from . import (
    layers_attention,
    layers_basic,
    layers_conv,
    layers_normalization,
    layers_recurrent,
)
from .spec import LayerCase

LAYER_CASES: tuple[LayerCase, ...] = (
    layers_basic.CASES
    + layers_conv.CASES
    + layers_normalization.CASES
    + layers_recurrent.CASES
    + layers_attention.CASES
)
LAYER_CASES_BY_ID: dict[str, LayerCase] = {case.id: case for case in LAYER_CASES}
assert len(LAYER_CASES_BY_ID) == len(LAYER_CASES), "two layer cases share one id"
