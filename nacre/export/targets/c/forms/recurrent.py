"""Recurrences: each sequence step by step, with its states where the results lie."""

from __future__ import annotations

from nacre.export.graph.ir import Node, Value
from nacre.export.targets.c.forms._form import form, given, unary
from nacre.export.targets.c.forms.products import rows_times_matrix
from nacre.export.targets.c.types import SIZE, number, part
from nacre.export.targets.c.unit import Body


class _Steps:
    """What the recurrences share: the sequences, the kernels, what is given out at each step."""

    def __init__(self, make: Body, node: Node, states: int, gates: int) -> None:
        self.make, self.node, self.gates = make, node, gates
        self.x = given(node, 0)
        self.kernel, self.recurrent = given(node, 1 + states), given(node, 2 + states)
        self.bias, self.mask = node.inputs[3 + states : 5 + states]
        self.units = part(self.recurrent.shape[0])
        self.features = part(self.kernel.shape[0])
        self.width = f"{gates} * {self.units}"
        self.type, self.dtype = make.type(self.x), self.x.dtype
        for state, value in enumerate(node.outputs[1 : 1 + states]):
            make.copy(make.of(value), make.of(given(node, 1 + state)), value.dtype, value.shape)

    def activation(self, name: str, x: str) -> str:
        return unary(self.make, self.node.attributes[name], self.dtype, x)

    def start(self, to: str, bias: str | None, width: str) -> None:
        """to = bias."""
        with self.make.loop(width) as j:
            self.make.line(f"{to}[{j}] = {f'{bias}[{j}]' if bias else number(0, self.dtype)};")

    def times(self, to: str, row: str, matrix: Value, columns: str, start: str = "0") -> None:
        """to += row · matrix, of some columns."""
        rows = self.features if matrix is self.kernel else self.units
        rows_times_matrix(
            self.make, to, row, self.make.of(matrix), (rows, columns), self.dtype,
            self.width_in_brackets, start,
        )  # fmt: skip

    @property
    def width_in_brackets(self) -> str:
        return f"({self.width})"

    def write(self, step: object) -> None:
        """The loops, and what is given out; `step` writes the new states of one row."""
        make, node = self.make, self.node
        assert callable(step)
        outputs, a = node.outputs[0], node.attributes
        steps, units = part(self.x.shape[1]), self.units
        last = make.scratch(self.dtype, (self.recurrent.shape[0],))
        make.line(f"{self.type} *const last = {last};")
        with make.loop(self.x.shape[0]) as b:
            for state, value in enumerate(node.outputs[1:]):
                make.line(f"{self.type} *const s{state} = {make.of(value)} + {b} * {units};")
            with make.loop(units) as j:
                make.line(f"last[{j}] = {number(0, self.dtype)};")
            with make.block(f"for ({SIZE} step = 0; step < {steps}; ++step)"):
                make.line(f"const {SIZE} t = {f'{steps} - 1 - step' if a['reverse'] else 'step'};")
                row = f"({b} * {steps} + t) * {self.features}"
                make.line(f"const {self.type} *const row = {make.of(self.x)} + {row};")
                if self.mask is not None:
                    counts = f"{make.of(self.mask)}[{b} * {steps} + t]"
                    with make.block(f"if ({counts})"):
                        step()
                    if a["zero_output_for_mask"]:
                        with make.block("else"), make.loop(units) as j:
                            make.line(f"last[{j}] = {number(0, self.dtype)};")
                else:
                    step()
                if a["return_sequences"]:
                    place = f"({b} * {steps} + step) * {units}"
                    make.copy(
                        f"{make.of(outputs)} + {place}", "last", self.dtype, (units_of(self),)
                    )
            if not a["return_sequences"]:
                make.copy(
                    f"{make.of(outputs)} + {b} * {units}", "last", self.dtype, (units_of(self),)
                )


def units_of(steps: _Steps) -> int:
    """How many units there are."""
    return int(str(steps.recurrent.shape[0]))


@form("lstm")
def _lstm(make: Body, node: Node) -> None:
    steps = _Steps(make, node, 2, 4)
    units, type_ = steps.units, steps.type
    make.line(f"{type_} *const z = {make.scratch(steps.dtype, (4 * units_of(steps),))};")

    def step() -> None:
        steps.start("z", make.of(steps.bias) if steps.bias is not None else None, steps.width)
        steps.times("z", "row", steps.kernel, steps.width)
        steps.times("z", "s0", steps.recurrent, steps.width)
        with make.loop(units) as j:
            gates = [f"z[{j}]", *(f"z[{k} * {units} + {j}]" for k in (1, 2, 3))]
            i, f, o = (steps.activation("recurrent_activation", gates[k]) for k in (0, 1, 3))
            make.line(f"const {type_} in = {i}, forget = {f}, out = {o};")
            make.line(f"s1[{j}] = forget * s1[{j}] + in * {_atom(steps, gates[2])};")
            make.line(f"last[{j}] = s0[{j}] = out * {_atom(steps, f's1[{j}]')};")

    steps.write(step)


def _atom(steps: _Steps, x: str) -> str:
    return f"({steps.activation('activation', x)})"


@form("gru")
def _gru(make: Body, node: Node) -> None:
    steps = _Steps(make, node, 1, 3)
    units, type_, n = steps.units, steps.type, units_of(steps)
    resets_after = node.attributes["reset_after"]
    make.line(f"{type_} *const z = {make.scratch(steps.dtype, (3 * n,))};")
    make.line(f"{type_} *const own = {make.scratch(steps.dtype, (3 * n,))};")
    bias = make.of(steps.bias) if steps.bias is not None else None
    inner = f"({bias} + {steps.width})" if bias and resets_after else None
    both = f"2 * {units}"

    def gate(x: str) -> str:
        return steps.activation("recurrent_activation", x)

    def step() -> None:
        steps.start("z", bias, steps.width)
        steps.times("z", "row", steps.kernel, steps.width)
        steps.start("own", inner, steps.width)
        steps.times("own", "s0", steps.recurrent, steps.width if resets_after else both)
        with make.loop(both) as j:
            make.line(f"z[{j}] = {gate(f'(z[{j}] + own[{j}])')};")
        if not resets_after:  # the gate comes before the product
            with make.loop(units) as j:
                make.line(f"own[{j}] = z[{units} + {j}] * s0[{j}];")
                make.line(f"own[{both} + {j}] = {number(0, steps.dtype)};")
            steps.times(f"(own + {both})", "own", steps.recurrent, units, both)
        with make.loop(units) as j:
            reset = f"z[{units} + {j}] * " if resets_after else ""
            candidate = f"(z[{both} + {j}] + {reset}own[{both} + {j}])"
            make.line(f"const {type_} update = z[{j}];")
            new = f"update * s0[{j}] + (1 - update) * {_atom(steps, candidate)}"
            make.line(f"last[{j}] = {new};")
        make.copy("s0", "last", steps.dtype, (n,))

    steps.write(step)


@form("simple_rnn")
def _simple_rnn(make: Body, node: Node) -> None:
    steps = _Steps(make, node, 1, 1)
    make.line(f"{steps.type} *const z = {make.scratch(steps.dtype, (units_of(steps),))};")

    def step() -> None:
        steps.start("z", make.of(steps.bias) if steps.bias is not None else None, steps.units)
        steps.times("z", "row", steps.kernel, steps.units)
        steps.times("z", "s0", steps.recurrent, steps.units)
        with make.loop(steps.units) as j:
            make.line(f"last[{j}] = s0[{j}] = {_atom(steps, f'z[{j}]')};")

    steps.write(step)
