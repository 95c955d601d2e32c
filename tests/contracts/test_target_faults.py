"""What compares a file with its model finds a wrong number in any op of any format, and names its
layer: a third of the ops of fast formats in the quick tier, fewer of others, all in the slow one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nacre.core.errors import FileFormatError
from nacre.export.graph.opset import OPSET
from nacre.export.targets import TARGETS, find_target
from nacre.export.targets.graphdef.body import known_shape
from nacre.export.targets.graphdef.rules import FORMS
from nacre.export.targets.saved_model import write as saved_model
from nacre.export.targets.saved_model.write import Spec, Thing, Writer
from nacre.export.trials import Tries, groups_of_sizes
from nacre.export.verification import write_plainly
from nacre.saving.formats.saved_model_check import Content, of_signature
from nacre.testing.faults import FAULTS, Fault, SmallNet, is_seen, nets_of, with_fault
from nacre.testing.graph_ops import CASES
from nacre.testing.target import check_fault, runtime_of
from tests.contracts.test_target_contract import writable

# Of so many ops the quick tier tries one: files of C are compiled, those of NumPy are modules.
ONE_OF = {"c": 30, "coreml": 40, "npz": 12, "openvino": 12, "torch": 12, "torchscript": 12}
ONE_OF |= {"web": 12, "pmml": 8}
# Format -> ops in which it has no fault to find, with the reason.
_DRAWN = {op: "it draws random numbers" for op, spec in OPSET.items() if spec.is_random}
_NO_TEXTS = dict.fromkeys(("text_lookup", "text_of_index", "text_from_int"), "no texts")
_AS_OTHERS = "it is written as other ops are"
_NO_KERNEL = dict.fromkeys(
    "erf_inv lgamma digamma bitcast cholesky triangular_solve fft real imag complex shift_left "
    "shift_right shift_right_signed".split(),
    "no kernel",
)
_TFJS = {
    **_NO_KERNEL,
    **dict.fromkeys(
        "dynamic_update_slice erfc softsign logsumexp cumlogsumexp searchsorted".split(), _AS_OTHERS
    ),
}
NOTHING_TO_FIND = {
    "onnx": {"resize": _AS_OTHERS},
    "openvino": {
        "resize": _AS_OTHERS,
        "sort": _AS_OTHERS,
        **_NO_TEXTS,
        **dict.fromkeys(("shift_left", "shift_right"), "by a known number alone"),
    },
    "tensorrt": {"resize": _AS_OTHERS, "scatter_nd": _AS_OTHERS, **_NO_TEXTS},
    "tfjs": _TFJS,
    "web": _TFJS,
    "pmml": dict.fromkeys("transpose pad gather cast softmax".split(), "in nets of their own"),
}


def try_all(name: str, ops: list[str]) -> None:
    target = writable(name)
    runtime, missed = runtime_of(target), []
    nothing = {**_DRAWN, **NOTHING_TO_FIND.get(name, {})}
    for op in ops:
        try:
            why = check_fault(target, runtime, op)
        except AssertionError as error:
            missed.append(str(error))
            continue
        if bool(why) != (op in nothing):
            missed.append(f"{op}: {why or 'there is a fault to find'}")
    assert not missed, f"{len(missed)} of {len(ops)} faults: " + "\n".join(missed)


@pytest.mark.parametrize("name", TARGETS)
def test_a_fault_in_some_ops_of_a_format_is_found_and_its_layer_named(name: str) -> None:
    ops, every = sorted(find_target(name, "test").support.forms), ONE_OF.get(name, 3)
    try_all(name, ops[list(TARGETS).index(name) % every :: every])


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_fault_in_any_op_of_a_format_is_found_and_its_layer_named(name: str) -> None:
    try_all(name, sorted(find_target(name, "test").support.forms))


# --- SavedModels, which are written on a floor of their own ---------------------------------------


def spec_of(name, value) -> Spec:
    return Spec(name, value.dtype, known_shape(value.shape))


def written(net: SmallNet, folder) -> None:
    graph, writer, root = net.captured.graph, Writer(), Thing()
    writer.add(root)
    for number, weight in enumerate(graph.weights):
        key, data = f"weight_{number}", np.asarray(weight.data)
        root.children[key] = writer.add_variable(weight.path, key, data, False, key)
    inputs = [spec_of(v.name, v) for v in graph.inputs]
    outputs = [spec_of(name, v) for name, v in graph.outputs]
    place = writer.add_signature("net", graph, inputs, outputs)
    root.children["signatures"] = writer.add(Thing("signature_map", {"net": place}))
    write_plainly(folder, {**writer.files(), "assets/": b""})
    arguments = [spec_of(v.name, v) for v in graph.inputs]
    Content({}, [of_signature("net", net.captured, arguments, net)], "test").check(folder)


def is_shown(net: SmallNet, fault: Fault) -> bool:
    """Whether inputs as they are drawn show a fault."""
    tries = Tries(net.captured)
    for sizes in next(groups_of_sizes(net.captured.graph)):
        for values in (tries.values[0], *tries.wide[:1]):
            arrays = list(values(sizes).values())
            try:
                if is_seen(replace(net, arrays=arrays), fault):
                    return True
            except ValueError:  # the op takes no such
                continue
    return False


def try_saved_models(ops: list[str], folder, monkeypatch) -> None:
    right, missed = saved_model.lower, []
    for op in ops:
        limit = FORMS.limits.get(op, lambda _: None)
        nets = [net for net in nets_of(op) if limit(first(net)) is None]
        for fault in FAULTS:
            net = next((net for net in nets if is_shown(net, fault)), None)
            if net is None:
                assert fault != FAULTS[0], op
                continue
            monkeypatch.setattr(
                saved_model,
                "lower",
                lambda graph, name, library, op=op, fault=fault: right(
                    with_fault(graph, op, fault) or graph, name, library
                ),
            )
            try:
                written(net, folder / f"{op}_{fault}")
            except FileFormatError as error:
                if "'net/first" not in str(error):  # where it differs, or cannot be run
                    missed.append(f"{op}, {fault}: {error}")
            else:
                missed.append(f"{op}, {fault}: not found")
    assert not missed, "\n".join(missed)


def first(net: SmallNet):
    return next(node for node in net.captured.graph.nodes if node.op == net.op)


SAVED = sorted(op for op in FORMS.by_op if not OPSET[op].is_random)


def test_a_fault_in_some_ops_of_saved_models_is_found_and_its_layer_named(tmp_path, monkeypatch):
    try_saved_models(SAVED[::3], tmp_path, monkeypatch)


@pytest.mark.slow
def test_a_fault_in_any_op_of_saved_models_is_found_and_its_layer_named(tmp_path, monkeypatch):
    try_saved_models(SAVED, tmp_path, monkeypatch)


def test_every_op_that_is_no_draw_has_a_net() -> None:
    assert not [op for op, spec in OPSET.items() if not spec.is_random and not any(nets_of(op))]
    assert {case.op for case in CASES} <= set(OPSET)
