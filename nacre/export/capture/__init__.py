"""From a model, a layer or a function to a graph: the one part of export that knows JAX and models.

signature     what is given: arrays of which dtype and shape, their names, which sizes vary
decisions     what Python decides by sizes that vary
from_model    a call traced, with variables as arguments, and what it changes
jaxpr         what JAX says of a traced function, whatever its version
lower         the walk over it, by rules
rules         how primitives of JAX and composite ops of nacre become ops of the graph
"""

from nacre.export.capture.from_model import Captured, capture

__all__ = ["Captured", "capture"]
