"""Control flow as `torch.export` keeps it: functions handed to PyTorch's own loops.

These take no result that is an input, nor one tensor as two results: each is a copy.
"""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Graph, Node
from nacre.export.targets.support import Forms
from nacre.export.targets.torch.program import Form, Program
from nacre.export.targets.torch.rules.shaping import slice_, split

TRACED_ONLY: Forms[Form] = Forms()

# Strides are the same at each pass, whatever they were made from.
_COPY = ".clone(memory_format=torch.contiguous_format)"


@TRACED_ONLY.form("transpose")
def _transpose(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """A copy: of a view, what comes after would ask whether an axis has just one element, and a
    trace keeps the answer."""
    order = node.attributes["permutation"]
    moved = f"{inputs[0]}.permute([{', '.join(map(str, order))}])"
    return f"{moved}{_COPY}" if order else inputs[0]


@TRACED_ONLY.form("broadcast_to")
def _broadcast_to(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """A copy, for the same reason."""
    return f"{inputs[0]}.expand({make.sizes(node.attributes['shape'])}){_COPY}"


@TRACED_ONLY.form("slice")
def _slice(make: Program, node: Node, inputs: Sequence[str]) -> str | Sequence[str]:
    """A copy, for the same reason."""
    part = slice_(make, node, inputs)
    return part if part == inputs[0] else f"{part}{_COPY}"


@TRACED_ONLY.form("split")
def _split(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    """Copies, for the same reason."""
    return [f"{part}{_COPY}" for part in split(make, node, inputs)]


def _apart(make: Program, tensors: Sequence[str]) -> list[str]:
    """Tensors none of which is a view of another; weights are not, as they are."""
    return [x if x in make.whole else make.let(f"{x}{_COPY}", "own") for x in tensors]


def _function(
    make: Program, wish: str, graph: Graph, fixed: Sequence[str], count: int, *, copies: bool
) -> str:
    """A function of `count` tensors, given as one tuple each time, that gives a graph's outputs."""
    name = make.name(wish)
    parameters = [make.name("given") for _ in range(count)]
    with make.block(f"def {name}({', '.join(parameters)}):"):
        results = make.inline(graph, [*fixed, *parameters])
        texts = [f"{r}{_COPY}" for r in results] if copies else results
        make.line(f"return ({', '.join(texts)},)" if copies else f"return {texts[0]}")
    return name


@TRACED_ONLY.form("while")
def _while(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    count = node.attributes["constants"]
    fixed, state = _apart(make, inputs[:count]), inputs[count:]
    many = len(state)
    more = _function(make, "more", node.graphs["condition"], fixed, many, copies=False)
    body = _function(make, "body", node.graphs["body"], fixed, many, copies=True)
    copied = ", ".join(f"{x}{_COPY}" for x in state)
    found = make.let(f"while_loop({more}, {body}, ({copied},))", "looped")
    return [f"{found}[{i}]" for i in range(many)]


@TRACED_ONLY.form("scan")
def _scan(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    attributes = node.attributes
    constants, carries = attributes["constants"], attributes["carries"]
    first = constants + carries
    fixed, state = _apart(make, inputs[:constants]), inputs[constants:first]
    sequences = inputs[first:]
    # A scan needs a sequence to know its length, and a state.
    length = make.size(attributes["length"])
    counter = f"torch.zeros([{length}], device=device)"
    sequences = [*sequences] or [make.let(counter, "counter")]
    states = [*state] or [make.let("torch.zeros([1], device=device)", "nothing")]
    name, old, part = make.name("step"), make.name("old"), make.name("parts")
    with make.block(f"def {name}({old}, {part}):"):
        held = [make.let(f"{old}[{i}]", "state") for i in range(len(states))]
        parts = [make.let(f"{part}[{i}]", "part") for i in range(len(sequences))]
        given = [*fixed, *held[:carries], *(parts if len(inputs) > first else [])]
        results = [f"{r}{_COPY}" for r in make.inline(node.graphs["body"], given)]
        new = results[:carries] or [f"{held[0]}{_COPY}"]
        kept = results[carries:] or [f"{held[0]}{_COPY}"]
        make.line(f"return [{', '.join(new)}], [{', '.join(kept)}]")
    copied = ", ".join(f"{x}{_COPY}" for x in states)
    along = ", ".join(_apart(make, sequences))
    reverse = attributes["reverse"]
    last, kept_all = make.name("last"), make.name("kept")
    call = f"scan({name}, [{copied}], [{along}], dim=0, reverse={reverse})"
    make.line(f"{last}, {kept_all} = {call}")
    collected = len(node.outputs) - carries
    return [f"{last}[{i}]" for i in range(carries)] + [f"{kept_all}[{i}]" for i in range(collected)]


@TRACED_ONLY.form("switch")
def _switch(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    """Two branches at a time: the first, or the choice among the others."""
    index, *operands = inputs
    operands = _apart(make, operands)
    names = [
        _function(make, "branch", node.graphs[f"branch_{i}"], [], len(operands), copies=True)
        for i in range(len(node.graphs))
    ]
    given = f"({', '.join(operands)}{',' if operands else ''})"
    found = make.let(_chosen(make, index, names, given), "chosen")
    return [f"{found}[{i}]" for i in range(len(node.outputs))]


def _chosen(make: Program, index: str, names: Sequence[str], given: str) -> str:
    found = f"{names[-1]}{given}" if len(names) == 1 else ""
    if found:
        return found
    last = names[-1]
    for number in range(len(names) - 2, -1, -1):
        choice = f"torch.cond({index} <= {number}, {names[number]}, {last}, "
        if number == 0:
            return f"{choice}{given})"
        last_name = make.name("others")
        arguments = make.name("given")
        with make.block(f"def {last_name}(*{arguments}):"):
            make.line(f"return {choice}{arguments})")
        last = last_name
    raise AssertionError("a switch has branches")
