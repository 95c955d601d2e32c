"""The messages of TensorFlow's files, as bytes: graphs, SavedModels, the objects they hold.

Each class is named as its message, each line has the number of its field; which .proto it is from
stands above. `graph.py` holds what a graph is of, `saved_model.py` the file around graphs,
`objects.py` the objects of a SavedModel and of a checkpoint, `tensors.py` arrays as messages.
Left out are fields that tell only where in a program something was written.
"""
