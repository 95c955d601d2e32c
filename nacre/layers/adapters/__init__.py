"""Adapters: a low-rank change trained beside a weight, and weights of 8 or 4 bits.

How this floor works: each file registers its adapter with `base.adapting`, which the layers'
`enable_lora` and `quantize` look it up in. An adapter replaces a layer's weight (`view` makes
something that reads like the weight) and, where the sums themselves change, the layer's `call`.
`products` and `tables` know how the two families of layers use their weights.
"""

from nacre.layers.adapters import float8, int4, int8, lora
