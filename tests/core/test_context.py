"""The context: one immutable value, blocks that change it, its own for each thread and task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from nacre import layers, ops
from nacre.core import context, identity, leftovers, names, registry, safety, scope
from nacre.core.absence import Absent
from nacre.core.context import carried, changed, current
from nacre.core.layout import data_parallel, use_layout
from nacre.layers.base.remat import RematScope
from nacre.layers.preprocessing.host_layer import Recording, in_host_scope
from nacre.layers.transformer.decoding import DecodingState, decoding
from nacre.ops._op import decomposed
from nacre.ops.kernels import placement


@contextmanager
def iteration_of_a_loop() -> Iterator[None]:
    with scope.Body([]) as body, body.iteration(1, []):
        yield


class Mixed:
    y = share = None


# What enters each block -> the fields it changes.
BLOCKS: dict[str, tuple[Callable[[], AbstractContextManager[Any]], set[str]]] = {
    "StatelessScope": (scope.StatelessScope, {"scope"}),
    "entered_call": (lambda: scope.entered_call(scope.CallContext(None, True)), {"call"}),
    "absent_here": (lambda: scope.absent_here(Absent(jnp.array([True]))), {"absent"}),
    "mixed_here": (lambda: scope.mixed_here((Mixed(),)), {"mixed"}),
    "running_program": (lambda: scope.running_program(scope.ProgramRun(True)), {"program"}),
    "autocast": (lambda: scope.autocast("float16"), {"autocast"}),
    "symbolic_scope": (scope.symbolic_scope, {"finds_shapes"}),
    "masks_ending_at_ops": (lambda: scope.masks_ending_at_ops(True), {"masks_end_at_ops"}),
    "forcing_masks": (lambda: scope.forcing_masks(False), {"forced_masks"}),
    "running_again": (lambda: changed(running_again=(None,)), {"running_again"}),
    "iteration_of_a_loop": (iteration_of_a_loop, {"scope", "iterations"}),
    "name_scope": (lambda: names.name_scope("a"), {"names"}),
    "within_layer": (lambda: context.within_layer("a", "float16"), {"names", "autocast"}),
    "CustomObjectScope": (lambda: registry.CustomObjectScope({"a": 1}), {"custom_objects"}),
    "on_object_created": (lambda: registry.on_object_created(print), {"on_created"}),
    "reading": (lambda: safety.reading(True), {"gate"}),
    "identity.writing": (lambda: identity.writing(identity.Numbers()), {"numbers"}),
    "identity.reading": (lambda: identity.reading(identity.Objects()), {"objects"}),
    "inside_loop": (placement.inside_loop, {"is_in_loop"}),
    "own_program": (placement.own_program, {"is_own_program"}),
    "keeping_old_values": (placement.keeping_old_values, {"keeps_old_values"}),
    "plain_xla": (placement.plain_xla, {"asks_for_plain_xla"}),
    "decomposed": (decomposed, {"decomposes_ops"}),
    "in_host_scope": (lambda: in_host_scope(Recording()), {"host_calls"}),
    "use_layout": (lambda: use_layout(data_parallel(jax.devices()[:1])), {"layout"}),
    "leftovers.cleared": (leftovers.cleared, {"leftovers"}),
    "RematScope": (RematScope, {"remat"}),
    "SymbolicScope": (scope.SymbolicScope, {"finds_shapes"}),
    "decoding": (lambda: decoding(DecodingState()), {"decoding"}),
}


def fields() -> dict[str, Any]:
    return {name: getattr(current(), name) for name in context._Fields.__slots__}


def differing(before: dict[str, Any]) -> set[str]:
    return {name for name, value in fields().items() if value is not before[name]}


def test_every_field_has_a_block() -> None:
    assert set().union(*(changed for _, changed in BLOCKS.values())) == set(fields())


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_changes_its_fields_alone_and_puts_them_back_after_an_error(name: str) -> None:
    make, expected = BLOCKS[name]
    before = fields()
    found: list[set[str]] = []

    def fail() -> None:
        found.append(differing(before))
        raise KeyError

    with pytest.raises(KeyError), make():
        fail()
    assert found == [expected]
    assert differing(before) == set()


@pytest.mark.parametrize("name", BLOCKS)
def test_threads_and_tasks_are_independent_unless_a_function_is_carried(name: str) -> None:
    make, _ = BLOCKS[name]
    with ThreadPoolExecutor(1) as pool, scope.StatelessScope():
        outside = pool.submit(fields).result()
        with make():
            inside = fields()
            assert pool.submit(fields).result() == outside
            assert pool.submit(carried(fields)).result() == inside
        assert pool.submit(fields).result() == outside


def test_every_field_is_copied() -> None:
    marks = {name: object() for name in fields()}
    with changed(**marks), changed(autocast="float16"):
        assert differing(marks) == {"autocast"}


def test_a_context_does_not_change() -> None:
    before = current()
    with pytest.raises(AttributeError, match=r"use changed\(autocast=...\)"):
        current().autocast = "float16"  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match="autocats"), changed(autocats="float16"):
        pass
    assert current() is before


def test_a_context_shows_what_is_in_force() -> None:
    found: list[str] = []

    class Look(layers.Layer):
        def call(self, inputs: Any) -> Any:
            found.append(repr(current()))
            return inputs

    Look(name="look", dtype="mixed_bfloat16")(ops.ones((2, 3)))
    assert found == [
        "Context(call=<CallContext path='look', training=None>, names=('look',), "
        "autocast='bfloat16')"
    ]
    assert repr(current()) == "Context()"


def test_one_scope_of_names_may_be_entered_within_itself_and_elsewhere() -> None:
    part = names.name_scope("part")
    with names.name_scope("a"), part:
        with part:
            assert names.current_path() == "a/part/part"
        assert names.current_path() == "a/part"
    assert names.current_path() == ""


def test_a_generator_that_waits_within_a_users_block_spoils_no_other_block() -> None:
    def batches() -> Any:
        with names.name_scope("batches"), registry.CustomObjectScope({"a": 1}):
            yield 1

    stream = batches()
    with scope.autocast("float16"):
        next(stream)
    with scope.autocast("float32"):
        assert next(stream, None) is None
        assert current().autocast == "float32"
    assert current().autocast is None and current().names == ()
    assert registry.get_registered_object("a") is None


def test_tasks_that_wait_within_blocks_do_not_mix_them_up() -> None:
    async def path_within(name: str, first: asyncio.Event, then: asyncio.Event) -> str:
        with names.name_scope(name):
            first.set()
            await then.wait()
            return names.current_path()

    async def both() -> list[str]:
        a, b = asyncio.Event(), asyncio.Event()
        return list(await asyncio.gather(path_within("a", a, b), path_within("b", b, a)))

    assert asyncio.run(both()) == ["a", "b"] and names.current_path() == ""


def test_jax_settings_of_a_block_are_carried_into_another_thread() -> None:
    def settings() -> tuple[Any, ...]:
        chosen = jax.config.jax_default_matmul_precision, jax.config.jax_debug_nans
        return (*chosen, jax.config.jax_default_device, jax.sharding.get_abstract_mesh().axis_names)

    mesh = jax.make_mesh((1,), ("x",))
    with ThreadPoolExecutor(1) as pool:
        outside = pool.submit(settings).result()
        with jax.default_matmul_precision("float32"), jax.debug_nans(True), jax.set_mesh(mesh):
            with jax.default_device(jax.devices()[0]):
                inside = settings()
                function = carried(settings)
        assert inside == ("float32", True, jax.devices()[0], ("x",))
        assert pool.submit(function).result() == inside == pool.submit(function).result()
        assert pool.submit(settings).result() == outside == settings()


def test_a_carried_function_hands_on_arguments_results_and_errors() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert pool.submit(carried(divmod), 7, 2).result() == (3, 1)
        with pytest.raises(ZeroDivisionError):
            pool.submit(carried(divmod), 7, 0).result()
        together = carried(lambda index: (index, current().autocast))
        assert list(pool.map(together, range(4))) == [(i, None) for i in range(4)]
