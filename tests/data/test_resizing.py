"""Images resized on the host: by NumPy, and by the compiled function, to the same last bit."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from nacre.data import resizing
from nacre.ops.kernels import resizing_native
from nacre.ops.kernels.native import build, library
from tests import native

SIZES = [
    ((7, 9), (3, 4)), ((7, 9), (14, 20)), ((7, 9), (7, 5)), ((7, 9), (4, 9)), ((7, 9), (7, 9)),
    ((1, 1), (3, 3)), ((30, 41), (1, 1)), ((60, 300), (37, 299)),
]  # fmt: skip


@pytest.fixture
def compiled(monkeypatch):
    """The compiled function in use."""
    if reason := native.finish_of_host(library.RESIZING):
        pytest.skip(f"no compiled function: {reason}")
    monkeypatch.delenv("NACRE_NATIVE", raising=False)
    monkeypatch.delenv("NACRE_KERNELS", raising=False)
    monkeypatch.setattr(resizing_native, "_built", resizing_native._Built())
    resizing_native._built.build()
    assert resizing_native.resizing_for(1) is not None


def by_numpy(monkeypatch, *arguments):
    with monkeypatch.context() as patch:
        patch.setenv("NACRE_NATIVE", "0")
        return resizing.resize(*arguments)


@pytest.mark.parametrize("interpolation", resizing.INTERPOLATIONS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_compiled_function_gives_numpys_bits(compiled, monkeypatch, interpolation, dtype):
    random = np.random.default_rng(0)
    for channels in (1, 2, 3, 4, 5):
        for old, new in SIZES:
            image = (random.random((*old, channels)) * 255).astype(dtype)
            wanted = by_numpy(monkeypatch, image, new, interpolation)
            found = resizing.resize(image, new, interpolation)
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted, err_msg=f"{channels} {old} {new}")


@pytest.mark.parametrize(
    "part",
    [
        lambda x: x[:, 2:9, 3:17],
        lambda x: x[:, ::2],
        lambda x: x[:, ::-1, ::-1],
        lambda x: x[..., ::-1],
        lambda x: x.transpose(0, 2, 1, 3),
        lambda x: x[:, :1, :1],
        lambda x: x[..., :1],
        lambda x: x[0],
        lambda x: x[:0],
        lambda x: np.broadcast_to(x[:, :1], x.shape),
    ],
)
def test_views_of_any_order_are_resized_as_what_they_show(compiled, monkeypatch, part):
    images = part(np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), np.uint8))
    wanted = by_numpy(monkeypatch, images.copy(), (5, 6), "bilinear")
    np.testing.assert_array_equal(resizing.resize(images, (5, 6), "bilinear"), wanted)


def test_other_numbers_and_nearest_stay_with_numpy(compiled, monkeypatch):
    def refuse(*arguments):
        raise AssertionError

    monkeypatch.setattr(resizing_native.Resizing, "__call__", refuse)
    for dtype in ("float64", "int32", ">f4"):
        assert resizing.resize(np.ones((4, 4, 3), dtype), (2, 2), "bilinear").sum() == 12
    assert resizing.resize(np.ones((4, 4, 3), "uint8"), (2, 2), "nearest").dtype == "uint8"


def test_nothing_is_built_for_a_few_images_and_once_for_many(monkeypatch):
    begun, built = [], resizing_native._Built()
    monkeypatch.setattr(resizing_native, "_built", built)
    monkeypatch.setattr(built, "build", lambda: begun.append(threading.current_thread().daemon))
    monkeypatch.delenv("NACRE_NATIVE", raising=False)
    monkeypatch.delenv("NACRE_KERNELS", raising=False)
    image = np.ones((4, 4, 3), np.uint8)
    for _ in range(resizing_native.FIRST_IMAGES - 1):
        resizing.resize(image, (2, 2), "bilinear")
    assert begun == []
    for _ in range(40):
        resizing.resize(image, (2, 2), "bilinear")
    for thread in threading.enumerate():
        if thread.name == "nacre-native-build":
            thread.join()
    assert begun == [True]


def test_without_a_compiler_numpy_goes_on(monkeypatch):
    monkeypatch.setattr(resizing_native, "_built", built := resizing_native._Built())
    none = build.Outcome(None, None, "no C++ compiler found")
    monkeypatch.setattr(library.Library, "outcome", lambda self: none)
    built.build()
    images = np.ones((64, 4, 4, 3), np.uint8)
    assert resizing.resize(images, (2, 2), "bilinear").sum() == 64 * 12
