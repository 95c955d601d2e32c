"""Control flow and recurrences as TorchScript has them: statements of Python."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.targets.support import Forms
from nacre.export.targets.torch.program import Form, Program, dtype_of, shape_of

SCRIPT_ONLY: Forms[Form] = Forms()


@SCRIPT_ONLY.form("while")
def _while(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    count = node.attributes["constants"]
    fixed, state = inputs[:count], [_held(make, x) for x in inputs[count:]]
    (more,) = make.inline(node.graphs["condition"], [*fixed, *state])
    goes_on = make.let(f"bool({more})", "goes_on")
    with make.block(f"while {goes_on}:"):
        _assign(make, state, make.inline(node.graphs["body"], [*fixed, *state]))
        (more,) = make.inline(node.graphs["condition"], [*fixed, *state])
        make.line(f"{goes_on} = bool({more})")
    return state


def _held(make: Program, tensor: str) -> str:
    """A variable of its own that a loop may change."""
    name = make.name("state")
    make.line(f"{name} = {tensor}")
    return name


def _assign(make: Program, names: Sequence[str], values: Sequence[str]) -> None:
    """New values, none of which is read after it was replaced."""
    kept = [make.name("new") for _ in values]
    for name, value in zip(kept, values):
        make.line(f"{name} = {value}")
    for name, value in zip(names, kept):
        make.line(f"{name} = {value}")


@SCRIPT_ONLY.form("scan")
def _scan(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    attributes = node.attributes
    first = attributes["constants"] + attributes["carries"]
    fixed, sequences = inputs[: attributes["constants"]], inputs[first:]
    state = [_held(make, x) for x in inputs[attributes["constants"] : first]]
    length = make.let(make.size(attributes["length"]), "length")
    collected = node.outputs[len(state) :]
    lists = [make.name("collected") for _ in collected]
    for name in lists:
        make.line(f"{name}: List[Tensor] = []")
    step = make.name("step")
    with make.block(f"for {step} in range({length}):"):
        at = f"{length} - 1 - {step}" if attributes["reverse"] else step
        at = make.let(at, "at")
        parts = [make.let(f"{x}[{at}]", "part") for x in sequences]
        results = make.inline(node.graphs["body"], [*fixed, *state, *parts])
        for name, result in zip(lists, results[len(state) :]):
            make.line(f"{name}.append({result})")
        _assign(make, state, results[: len(state)])
    found = list(state)
    for name, value in zip(lists, collected):
        if attributes["reverse"]:
            make.line(f"{name}.reverse()")
        none = f"torch.zeros({make.sizes([0, *value.shape[1:]])}, dtype=torch.{value.dtype}"
        found.append(f"torch.stack({name}, 0) if len({name}) > 0 else {none}, device=device)")
    return found


@SCRIPT_ONLY.form("switch")
def _switch(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    index, *operands = inputs
    chosen = make.let(f"int({index})", "chosen")
    results = [make.name("chosen_result") for _ in node.outputs]
    last = len(node.graphs) - 1
    for number in range(last + 1):
        words = f"if {chosen} <= 0:" if number == 0 else f"elif {chosen} == {number}:"
        with make.block(words if number < last else "else:" if number else "if True:"):
            found = make.inline(node.graphs[f"branch_{number}"], operands)
            for name, value in zip(results, found):
                make.line(f"{name} = {value}")
    return results


# --- recurrences ----------------------------------------------------------------------------------


def _not_usual(node: Node) -> str | None:
    """PyTorch's own have these activations, and no masks."""
    attributes = node.attributes
    usual = {"lstm": ("tanh",), "gru": ("tanh",), "simple_rnn": ("tanh", "relu")}[node.op]
    fits = attributes["activation"] in usual and node.inputs[-1] is None
    fits = fits and attributes.get("recurrent_activation", "sigmoid") == "sigmoid"
    fits = fits and attributes.get("reset_after", True)
    return None if fits and dtype_of(node) in ("float32", "float64") else ""


def _run(
    make: Program, node: Node, op: str, x: str, states: Sequence[str], weights: Sequence[str]
) -> list[str]:
    """One of PyTorch's recurrences, one layer of one direction, the batch first."""
    given = f"torch.flip({x}, [1])" if node.attributes["reverse"] else x
    initial = [make.let(f"{state}.unsqueeze(0)", "initial") for state in states]
    held = f"[{', '.join(initial)}]" if op == "lstm" else initial[0]
    has_biases = len(weights) == 4
    results = [make.name(name) for name in ("steps", *["last"] * len(states))]
    how = f"{has_biases}, 1, 0.0, False, False, True"
    call = f"torch.{op}({given}, {held}, [{', '.join(weights)}], {how})"
    make.line(f"{', '.join(results)} = {call}")
    last = [make.let(f"{state}.squeeze(0)", "last") for state in results[1:]]
    return [results[0] if node.attributes["return_sequences"] else last[0], *last]


@SCRIPT_ONLY.form("lstm", limit=_not_usual)
def _lstm(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    """Gates are in PyTorch's order: input, forget, candidate, output."""
    x, h0, c0, kernel, recurrent, bias, _ = inputs
    weights = [f"{kernel}.t()", f"{recurrent}.t()"]
    weights += [bias, f"torch.zeros_like({bias})"] if bias else []
    return _run(make, node, "lstm", x, [h0, c0], weights)


@SCRIPT_ONLY.form("gru", limit=_not_usual)
def _gru(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    """Gates update, reset, candidate become reset, update, candidate."""
    x, h0, kernel, recurrent, bias, _ = inputs
    units = shape_of(node, 1)[1]
    assert isinstance(units, int)

    def ordered(tensor: str) -> str:
        parts = [f"{tensor}[..., {a * units}:{(a + 1) * units}]" for a in (1, 0, 2)]
        return make.let(f"torch.cat([{', '.join(parts)}], -1)", "gates")

    weights = [f"{ordered(kernel)}.t()", f"{ordered(recurrent)}.t()"]
    weights += [f"{ordered(bias)}[{i}]" for i in (0, 1)] if bias else []
    return _run(make, node, "gru", x, [h0], weights)


@SCRIPT_ONLY.form("simple_rnn", limit=_not_usual)
def _simple_rnn(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    x, h0, kernel, recurrent, bias, _ = inputs
    weights = [f"{kernel}.t()", f"{recurrent}.t()"]
    weights += [bias, f"torch.zeros_like({bias})"] if bias else []
    return _run(make, node, f"rnn_{node.attributes['activation']}", x, [h0], weights)
