"""The base of all layers: variables, building, calling, masks, configs.

`layer.py` is the class; `calling.py` knows how a `call` signature is filled; `tracking.py` finds
the variables and layers an object holds; `input_spec.py` checks shapes.
"""
