"""Files of other frameworks, as things that compute with nacre."""
