"""Floor 4: training, evaluation and prediction.

`compile.py` holds what `compile()` was told; `step.py` is the pure step; `programs.py` puts steps
into compiled loops; `loop.py`, `evaluation.py` and `prediction.py` drive them; `checks.py` refuses
data that cannot work before anything is compiled.
"""
