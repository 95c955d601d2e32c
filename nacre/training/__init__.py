"""Floor 4: training, evaluation and prediction.

`compile.py` holds what `compile()` was told. `fitting.py`, `evaluation.py` and `prediction.py` are
what `fit`, `evaluate` and `predict` do: `inputs.py` makes sources of what the user gave;
`checks.py` and `prepare.py` refuse what cannot work before anything is compiled. `step.py` is the
pure step, `own_steps.py` those that users write, `base_steps.py` what `super().train_step` does.
`programs.py` puts steps into compiled loops, `model_programs.py` keeps those with the
model, and `loop.py` runs them over a feed, as many steps a dispatch as `pace.py` says. `state.py`
is what a training goes on from, `last_good.py` what it goes back to when numbers stop being finite.
"""
