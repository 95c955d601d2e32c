"""A graph as a NeuralNetwork of PMML 4.4.

Source: dmg.org/pmml/v4-4-1/NeuralNetwork.html, whose elements these are.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np

from nacre.core.errors import ArgumentError, UnsupportedError, listed, message
from nacre.core.regions import Content
from nacre.export.graph.evaluate import node_results
from nacre.export.graph.ir import Graph, Value
from nacre.export.targets.pmml.forms import FORMS, known_values
from nacre.export.targets.pmml.network import Affine, Layer, Matrix, Network
from nacre.export.targets.target import Request

_SPACE = "http://www.dmg.org/PMML-4_4"
MOST_CONNECTIONS = 1_000_000  # about 60 bytes each in the file, more in what reads it


def write(request: Request) -> Mapping[str, Content]:
    """The one file of a graph."""
    graph = request.graph
    net, results = _network(graph)
    if net.connections() > MOST_CONNECTIONS:
        rule = f"a file of PMML spells out each connection, {MOST_CONNECTIONS:,} at most"
        fix = "Export as format='onnx' or 'npz'."
        got = f"{net.connections():,} connections"
        raise UnsupportedError(message(f"'{request.name}'", rule, got, fix))
    root = _document(request, net, [(n, *net.neurons(v)) for n, v in results], graph)
    ElementTree.indent(root, " ")
    file = io.BytesIO()
    ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
    return {"": file.getvalue() + b"\n"}


def _network(graph: Graph) -> tuple[Network, list[tuple[str, Affine]]]:
    net = Network()
    given = {v: net.input(tuple(int(str(n)) for n in v.shape[1:])) for v in graph.inputs}
    values = {v: net.settle(affine) for v, affine in given.items()}
    fixed = known_values(graph)
    known: dict[Value, Matrix] = {w.value: w.data for w in graph.weights}
    for node in graph.nodes:
        if all(v in fixed for v in node.outputs):
            with np.errstate(all="ignore"):
                found = node_results(node, known, {}, np.random.default_rng(0))
            known.update({v: np.asarray(x, v.dtype) for v, x in zip(node.outputs, found)})
        else:
            values.update(zip(node.outputs, FORMS.by_op[node.op](net, node, values, known)))
    return net, [(name, values[value]) for name, value in graph.outputs]


def fields_of(name: str, count: int) -> list[str]:
    """The fields of an input or output: its name, with a number where there are several."""
    return [name] if count == 1 else [f"{name}_{i}" for i in range(count)]


def _document(
    request: Request, net: Network, results: Sequence[tuple[str, int, list[int]]], graph: Graph
) -> ElementTree.Element:
    root = ElementTree.Element("PMML", version="4.4", xmlns=_SPACE)
    header = _in(root, "Header", description=request.name)
    _in(header, "Application", name="nacre", version=request.metadata.get("producer", ""))
    for name, value in request.metadata.items():
        if name not in ("name", "producer"):
            _in(header, "Annotation").text = f"{name}: {value}"
    shapes = [",".join(map(str, value.shape[1:])) for _, value in graph.outputs]
    _in(header, "Annotation").text = f"outputs: {'; '.join(shapes)}"
    classes = _classes(request, net, results)
    inputs = [(f, v.dtype) for v in graph.inputs for f in fields_of(v.name, _count(v))]
    outputs = [] if classes else [f for n, _, ids in results for f in fields_of(n, len(ids))]
    taken = [*(f for f, _ in inputs), *outputs]
    dictionary = _in(root, "DataDictionary")
    for field, dtype in inputs:
        type_ = "integer" if "int" in dtype else "float" if dtype == "float32" else "double"
        _in(dictionary, "DataField", name=field, optype="continuous", dataType=type_)
    if classes:
        target = results[0][0]
        taken.append(target)
        field = _in(dictionary, "DataField", name=target, optype="categorical", dataType="string")
        for label in classes:
            _in(field, "Value", value=label)
    for name in outputs:
        _in(dictionary, "DataField", name=name, optype="continuous", dataType="double")
    if len(set(taken)) != len(taken):
        rule = "each field must have a name of its own"
        raise ArgumentError(message(f"'{request.name}'", rule, ", ".join(sorted(taken))))
    _model(root, request, net, results, [f for f, _ in inputs], classes, outputs)
    return root


def _model(
    root: ElementTree.Element, request: Request, net: Network,
    results: Sequence[tuple[str, int, list[int]]], inputs: Sequence[str],
    classes: Sequence[str], outputs: Sequence[str],
) -> None:  # fmt: skip
    kind = "classification" if classes else "regression"
    model = _in(root, "NeuralNetwork", modelName=request.name, functionName=kind,
                activationFunction="identity", numberOfLayers=str(len(net.layers)))  # fmt: skip
    schema = _in(model, "MiningSchema")
    for field in inputs:
        _in(schema, "MiningField", name=field)
    for field in [results[0][0]] if classes else outputs:
        _in(schema, "MiningField", name=field, usageType="target")
    if classes:
        found = _in(model, "Output")
        for label in classes:
            _in(found, "OutputField", name=f"probability({label})", optype="continuous",
                dataType="double", feature="probability", value=label)  # fmt: skip
    given = _in(model, "NeuralInputs", numberOfInputs=str(len(inputs)))
    for i, field in enumerate(inputs):
        neuron = _in(given, "NeuralInput", id=f"0,{i}")
        derived = _in(neuron, "DerivedField", optype="continuous", dataType="double")
        _in(derived, "FieldRef", field=field)
    for number, layer in enumerate(net.layers, start=1):
        _layer(model, number, layer)
    ends = [(layer, i) for _, layer, ids in results for i in ids]
    last = _in(model, "NeuralOutputs", numberOfOutputs=str(len(ends)))
    for place, (layer, i) in enumerate(ends):
        neuron = _in(last, "NeuralOutput", outputNeuron=f"{layer},{i}")
        if classes:
            derived = _in(neuron, "DerivedField", optype="categorical", dataType="string")
            _in(derived, "NormDiscrete", field=results[0][0], value=classes[place])
        else:
            derived = _in(neuron, "DerivedField", optype="continuous", dataType="double")
            _in(derived, "FieldRef", field=outputs[place])


def _layer(model: ElementTree.Element, number: int, layer: Layer) -> None:
    how = {"normalizationMethod": "softmax"} if layer.is_softmax else {}
    count = len(layer.of.bias)
    found = _in(model, "NeuralLayer", numberOfNeurons=str(count),
                activationFunction=layer.function, **how)  # fmt: skip
    for i in range(count):
        neuron = _in(found, "Neuron", id=f"{number},{i}", bias=_number(layer.of.bias[i]))
        for source, matrix in layer.of.parts.items():
            for row in np.flatnonzero(matrix[:, i]):
                _in(neuron, "Con", **{"from": f"{source},{row}", "weight": _number(matrix[row, i])})
        if not len(neuron):  # each must have one
            _in(neuron, "Con", **{"from": "0,0", "weight": "0"})


def _classes(
    request: Request, net: Network, results: Sequence[tuple[str, int, list[int]]]
) -> list[str]:
    """The names of the classes; none where numbers are given out."""
    (_, layer, ids), *others = results
    names = request.options.get("class_names")
    chooses = not others and layer == len(net.layers) and net.layers[-1].is_softmax
    if not chooses or len(ids) != len(net.layers[-1].of.bias):
        if names is not None:
            rule = "class_names are those of a model that ends in softmax"
            raise ArgumentError(message(f"'{request.name}'", rule, f"{list(names)}"))
        return []
    found = [str(name) for name in (names if names is not None else range(len(ids)))]
    if len(set(found)) != len(ids) or len(found) != len(ids):
        rule = f"class_names must be {len(ids)} different names, one for each output"
        raise ArgumentError(
            message(f"'{request.name}'", rule, listed([repr(name) for name in found]))
        )
    return found


def _count(value: Value) -> int:
    return int(np.prod([int(str(n)) for n in value.shape[1:]]))


def _number(value: Any) -> str:
    return repr(float(value))


def _in(parent: ElementTree.Element, name: str, /, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, name, attributes)


__all__ = ["MOST_CONNECTIONS", "fields_of", "write"]
