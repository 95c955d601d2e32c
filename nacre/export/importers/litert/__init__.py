"""TFLite files as programs that compute with nacre.

read        a file as data, with every place in it checked
registry    operators by name, and what they see of a file
quantized   whole numbers that stand for others
ops/        operators, a file a family
program     a file as a program and a model
"""
