"""The base of all layers: variables, building, calling, masks, configs.

`layer.py` is the class: constructor, call, config. Its bases have a file each: `holding.py` finds
the parts, `weights.py` makes variables and moves their values, `losses.py` collects penalties,
`building.py` builds once, `masking.py` sends masks on, `describing.py` answers symbolic tensors.
Functions around them: `calling.py` knows how a `call` signature is filled, `arguments.py` fills it,
`inventory.py` finds what attributes hold, `compiled.py` runs a call as one program, `input_spec.py`
checks shapes, `configuring.py` writes configs, `adapting.py` replaces weights by smaller ones.
"""
