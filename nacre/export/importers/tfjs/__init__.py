"""Models of TF.js: `model.json` and files of weights beside it.

read     the files, checked before memory is taken
graph    a graph model as a program, by the importer of TensorFlow's graphs

Layers models are made of layers, on the floor of files (`saving.formats.tfjs_layers`).
"""
