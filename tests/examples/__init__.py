"""The programs of `examples/`: that each runs, and that it reaches what its table says."""
