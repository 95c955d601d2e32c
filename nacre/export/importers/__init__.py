"""Files of other frameworks, as things that compute with nacre.

imported      what importers hand on: a program as a layer and a model
tensorflow/   SavedModels and frozen graphs
"""
