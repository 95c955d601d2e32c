"""Floor 0: what everything stands on.

Configuration, dtypes, names, trees, errors, variables, random state, scopes, the registry of
serialisable classes and symbolic tensors. Nothing here imports a higher floor.

How code that reads and assigns variables runs compiled: in a `StatelessScope` (`scope.py`) a
variable has the value that the scope has for it, so the code is a function of these values. A
`Program` (`program.py`) compiles it and hands it the values of a `State` (`state.py`), variables
found on the way among them. What else it depends on, attributes (`changes.py`) and what functions
read from outside (`readings.py`), is in the key it is kept under. What is under way just now
stands in one `Context` (`context.py`). Tensors kept by mistake are `leftovers.py`'s.
"""
