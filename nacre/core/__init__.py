"""Floor 0: what everything stands on.

Configuration, dtypes, names, trees, errors, variables, random state, scopes, the registry of
serialisable classes and symbolic tensors. Nothing here imports a higher floor.
"""
