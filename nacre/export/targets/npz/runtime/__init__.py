"""What models written for NumPy run with. It is never imported by nacre: `source` makes of it, and
of the formulas of the graph's ops, the one file `run.py` that goes with a model.

engine      the graph run, from Python and from the command line
fast        ops in forms that are faster than the graph's formulas
"""
