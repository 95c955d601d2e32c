"""From a model to every format: `graph` is what stands in between, `capture` makes it."""
