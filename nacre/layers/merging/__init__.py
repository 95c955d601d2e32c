"""Layers that join several tensors into one, and the same as functions in small letters."""

from nacre.layers.merging.arithmetic import Add as Add
from nacre.layers.merging.arithmetic import Average as Average
from nacre.layers.merging.arithmetic import Maximum as Maximum
from nacre.layers.merging.arithmetic import Minimum as Minimum
from nacre.layers.merging.arithmetic import Multiply as Multiply
from nacre.layers.merging.arithmetic import Subtract as Subtract
from nacre.layers.merging.arithmetic import add as add
from nacre.layers.merging.arithmetic import average as average
from nacre.layers.merging.arithmetic import maximum as maximum
from nacre.layers.merging.arithmetic import minimum as minimum
from nacre.layers.merging.arithmetic import multiply as multiply
from nacre.layers.merging.arithmetic import subtract as subtract
from nacre.layers.merging.concatenate import Concatenate as Concatenate
from nacre.layers.merging.concatenate import concatenate as concatenate
from nacre.layers.merging.distance import Distance as Distance
from nacre.layers.merging.dot import Dot as Dot
from nacre.layers.merging.dot import dot as dot

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Distance",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]
