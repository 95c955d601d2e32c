"""AutoGraph: Python's `if`, `for` and `while` by values of tensors within `tf.function`.

`finding.py` finds the source of a function, `jumps.py` and `rewriting.py` rewrite its syntax tree,
`meaning.py` says what the rewritten code does, with `staging.py` for what becomes a part of the
program. Ours in place of AutoGraph as a library (diastatic-malt 2.15.3): that writes a file for
each function, which lines of errors then name, and sees no variables of a function around that
change later.
"""
