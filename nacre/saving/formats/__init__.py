"""One file a format: `.keras`, whole-model and weights `.h5`, `.weights.h5`."""
