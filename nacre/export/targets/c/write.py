"""A graph as C99 without dependencies but the standard library's `math.h`.

model.h        what to call, and how much memory it needs
model.c        all of it, with the weights as arrays
main.c         an example: reads numbers, prints numbers
weights.bin    the weights, where they are to be in a file
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.core.regions import Content
from nacre.export.graph.ir import Graph, Value
from nacre.export.targets.c.helpers import of_sizes
from nacre.export.targets.c.types import SIZE, TYPES, count, name_of
from nacre.export.targets.c.unit import Body, Unit
from nacre.export.targets.target import Request

_OF_WEIGHTS = "\n * `weights` is what weights.bin holds, at an address that malloc gives."
FILES = frozenset({"main.c", "model.c", "model.h", "weights.bin"})
_MARK = " * signature: "
MOST_IN_SOURCE = 4_000_000  # about 60 MB of text; compilers take minutes for more
_ALIGNED = 16  # bytes: the widest type, and vectors of it


def write(request: Request) -> Mapping[str, Content]:
    """The files of a graph."""
    graph, prefix = request.graph, str(request.options["prefix"])
    in_file = request.options["weights_in"] == "file"
    numbers = sum(weight.data.size for weight in graph.weights)
    if numbers > MOST_IN_SOURCE and not in_file:
        rule = f"source with weights in it spells out {MOST_IN_SOURCE:,} numbers at most"
        fix = "Pass weights_in='file'."
        raise ArgumentError(message(f"'{request.name}'", rule, f"{numbers:,} numbers", fix))
    unit = Unit(prefix, list(graph.symbols()))
    weights, content = _weights(graph, unit, in_file)
    Body(unit, graph, f"{prefix}_graph", weights).write(in_file)
    call = _Call(graph, unit, in_file)
    files: dict[str, Content] = {
        "model.h": _header(call, request).encode(),
        "model.c": _source(call, request).encode(),
        "main.c": _example(call, len(content)).encode(),
    }
    return {**files, "weights.bin": content} if in_file else files


def signature(header: str) -> dict[str, Any]:
    """What a header says of inputs, outputs and sizes."""
    line = next(line for line in header.splitlines() if line.startswith(_MARK))
    found: dict[str, Any] = json.loads(line.removeprefix(_MARK))
    return found


def _weights(graph: Graph, unit: Unit, in_file: bool) -> tuple[dict[Value, str], bytes]:
    """How each weight is called, and what stands in the file."""
    names: dict[Value, str] = {}
    parts: list[bytes] = []
    start = 0
    for weight in graph.weights:
        if not in_file:
            names[weight.value] = unit.array(weight.data, weight.path)
            continue
        little = weight.data.astype(weight.data.dtype.newbyteorder("<"), copy=False)
        data = little.tobytes()
        data += b"\0" * (-len(data) % _ALIGNED)
        type_ = TYPES[weight.value.dtype][0]
        names[weight.value] = f"((const {type_} *)(const void *)(weights + {start}))"
        start += len(data)
        parts.append(data)
    return names, b"".join(parts)


class _Call:
    """How the function is called: names of what it takes, and their types."""

    def __init__(self, graph: Graph, unit: Unit, in_file: bool) -> None:
        self.graph, self.unit, self.in_file = graph, unit, in_file
        taken = set(unit.symbols)
        self.inputs = [(_own(v.name, taken), v) for v in graph.inputs]
        self.outputs = [(_own(name, taken), v) for name, v in graph.outputs]

    @property
    def sizes(self) -> list[str]:
        """The sizes as parameters."""
        return [f"{SIZE} {symbol}" for symbol in self.unit.symbols]

    @property
    def parameters(self) -> list[str]:
        """All parameters."""
        found = [f"const {TYPES[v.dtype][0]} *{name}" for name, v in self.inputs]
        found += [f"{TYPES[v.dtype][0]} *{name}" for name, v in self.outputs]
        found += self.sizes
        found += ["const void *weights"] if self.in_file else []
        return [*found, "void *arena", "size_t arena_bytes"]

    @property
    def names(self) -> list[str]:
        """What stands for arrays and sizes in a call."""
        return [*(n for n, _ in self.inputs), *(n for n, _ in self.outputs), *self.unit.symbols]

    def declared(self) -> tuple[str, str]:
        """The two functions, as they are declared."""
        prefix, sizes = self.unit.prefix, ", ".join(self.sizes) or "void"
        run = ",\n    ".join(self.parameters)
        return f"size_t {prefix}_arena_bytes({sizes})", f"int {prefix}_run(\n    {run})"


def _own(text: str, taken: set[str]) -> str:
    name = name_of(text)
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _header(call: _Call, request: Request) -> str:
    prefix = call.unit.prefix
    guard = f"{prefix.upper()}_H"
    said = {
        "prefix": prefix,
        "sizes": list(call.graph.symbols()),
        "inputs": [_spec(v.name, v) for _, v in call.inputs],
        "outputs": [_spec(o.name, o.value) for o in call.graph.outputs],
        "weights_in_file": call.in_file,
        "metadata": dict(request.metadata),
    }
    arena, run = call.declared()
    lines = [
        f"/* The model {_plain(request.name)}.",
        " *",
        *(f" * {name}: {v.type}" for name, v in call.inputs),
        *(f" * gives {name}: {v.type}" for name, v in call.outputs),
        " *",
        f"{_MARK}{_plain(json.dumps(said))}",
        " */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "#include <stddef.h>",
        "#include <stdint.h>",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        "/* How many bytes of memory a call needs. */",
        f"{arena};",
        "",
        "/* Run the model. Arrays lie row by row, channels last. Gives 0; 1 where a size is",
        " * below 0, 2 where the memory is too small. Nothing is kept between calls, and nothing",
        " * is allocated: calls with arenas of their own may run at the same time."
        + (_OF_WEIGHTS if call.in_file else ""),
        " */",
        f"{run};",
        "",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        "#endif",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _spec(name: str, value: Value) -> dict[str, Any]:
    return {"name": name, "dtype": value.dtype, "shape": [str(n) for n in value.shape]}


def _plain(text: str) -> str:
    """Text that may stand in a comment."""
    return text.replace("*/", "*\\/").replace("/*", "\\/*").replace("\n", " ")


def _source(call: _Call, request: Request) -> str:
    arena, run = call.declared()
    prefix, sizes = call.unit.prefix, call.unit.symbols
    inside = call.names
    inside += ["(const char *)weights"] if call.in_file else []
    checks = [f"    if ({symbol} < 0) return 1;" for symbol in sizes]
    end = f"""
{arena}
{{
    return (size_t){prefix}_graph_plan({", ".join([*sizes, "NULL"])}) + {_ALIGNED};
}}

{run}
{{
"""
    end += "".join(f"{check}\n" for check in checks)
    end += f"""\
    if (arena_bytes < {prefix}_arena_bytes({", ".join(sizes)})) return 2;
    char *const base = (char *)arena + ({_ALIGNED} - (uintptr_t)arena % {_ALIGNED}) % {_ALIGNED};
    {prefix}_graph({", ".join([*inside, "base"])});
    return 0;
}}
"""
    head = f"""\
/* The model {_plain(request.name)}, in C99. See model.h; compile with -lm. */
#include "model.h"

#include <math.h>
#include <string.h>

"""
    return head + call.unit.text() + "\n" + end


def _example(call: _Call, weight_bytes: int) -> str:
    prefix = call.unit.prefix
    head = [
        "/* Reads the numbers of each input, in order, and prints those of each output.",
        " *",
        f" *     cc -O2 main.c model.c -lm -o {prefix}",
        f" *     ./{' '.join([prefix, *(s.upper() for s in call.unit.symbols)])} < numbers.txt",
        " */",
        "#include <stdio.h>",
        "#include <stdlib.h>",
        "",
        '#include "model.h"',
        "",
    ]
    lines = [
        "int main(int argc, char **argv)",
        "{",
        "    (void)argc, (void)argv;",
    ]
    for place, symbol in enumerate(call.unit.symbols, start=1):
        lines.append(
            f"    const {SIZE} {symbol} = argc > {place} ? ({SIZE})atol(argv[{place}]) : 1;"
        )
    freed: list[str] = []
    for name, value in (*call.inputs, *call.outputs):
        type_, n = TYPES[value.dtype][0], f"(size_t)({count(value.shape)})"
        lines.append(f"    {type_} *const {name} = malloc({n} * sizeof({type_}) + 1);")
        freed.append(name)
    lines.append(f"    const size_t bytes = {prefix}_arena_bytes({', '.join(call.unit.symbols)});")
    lines.append("    void *const arena = malloc(bytes);")
    names = [*freed, "arena"]
    if call.in_file:
        lines.append(f"    char *const weights = malloc({weight_bytes + 1});")
        names.append("weights")
    lines.append(f"    if ({' || '.join(f'!{name}' for name in names)}) return 1;")
    if call.in_file:
        read = f"fread(weights, 1, {weight_bytes}, file)"
        lines += [
            '    FILE *const file = fopen("weights.bin", "rb");',
            f"    if (!file || {read} != {weight_bytes}) return 1;",
            "    fclose(file);",
        ]
    for name, value in call.inputs:
        lines += [
            f"    for ({SIZE} i = 0; i < {count(value.shape)}; ++i) {{",
            "        double number;",
            '        if (scanf("%lf", &number) != 1) {',
            f'            fprintf(stderr, "{name}: a number is missing\\n");',
            "            return 1;",
            "        }",
            f"        {name}[i] = ({TYPES[value.dtype][0]})number;",
            "    }",
        ]
    given = [*call.names, *(["weights"] if call.in_file else []), "arena", "bytes"]
    lines.append(f"    if ({prefix}_run({', '.join(given)}) != 0) return 1;")
    for name, value in call.outputs:
        row = count(value.shape[-1:])
        lines += [
            f"    for ({SIZE} i = 0; i < {count(value.shape)}; ++i)",
            f"        printf(\"%.9g%c\", (double){name}[i], (i + 1) % ({row}) ? ' ' : '\\n');",
        ]
    lines += [*(f"    free({name});" for name in names), "    return 0;", "}"]
    used = [f"{text}\n" for text in of_sizes("\n".join(lines))]
    return "\n".join([*head, *used, *lines]) + "\n"


def prefix_fault(value: Any) -> str:
    """What is wrong with the beginning of names, '' where nothing is."""
    is_name = isinstance(value, str) and value.isidentifier() and value.isascii()
    fits = is_name and value[0] != "_" and name_of(value) == value
    return "" if fits else "prefix must be a name in C"


__all__ = ["FILES", "MOST_IN_SOURCE", "prefix_fault", "signature", "write"]
