"""Weights of ready-made networks: from Keras's cache folder, and from a path."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import nacre
from nacre.applications import MobileNet, NASNetMobile, ResNet50, ResNetRS101
from nacre.core.errors import ArgumentError, WeightsMismatchError
from nacre.datasets import download
from nacre.initializers.variance_scaling import VarianceScaling
from tests.cases import applications as cases


def small(**arguments):
    given = {"input_shape": (32, 32, 3), "alpha": 0.25, "include_top": False, **arguments}
    return MobileNet(**given)


def test_weights_of_imagenet_are_read_from_the_cache_folder(tmp_path, monkeypatch) -> None:
    model = small(weights=None)
    cases.fill(model)
    (tmp_path / "models").mkdir()
    model.save_weights(tmp_path / "w.weights.h5")
    (tmp_path / "w.weights.h5").rename(tmp_path / "models" / "mobilenet_2_5_224_tf_no_top.h5")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for ours, theirs in zip(model.get_weights(), small(weights="imagenet").get_weights()):
        np.testing.assert_array_equal(ours, theirs)


def test_without_a_network_the_message_names_file_and_folder(tmp_path, monkeypatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("no network")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(download, "transfer", refuse)
    with pytest.raises(download.DownloadError) as caught:
        ResNet50(include_top=False)
    name = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert str(tmp_path / "models" / name) in str(caught.value)
    assert "weights=None" in str(caught.value)


def test_a_file_may_have_another_name_in_the_cache_than_on_the_web(tmp_path, monkeypatch) -> None:
    fetched = []
    monkeypatch.setattr("nacre.applications._weights.get_file", lambda *a, **k: fetched.append(a))
    monkeypatch.setattr(nacre.models.Functional, "load_weights", lambda self, path: None)
    NASNetMobile((32, 32, 3), include_top=False)
    name, origin = fetched[0]
    assert name == "nasnet_mobile_no_top.h5" and origin.endswith("nasnet/NASNet-mobile-no-top.h5")


@pytest.mark.parametrize(
    ("weights", "file", "digest"),
    [
        ("imagenet", "resnet-rs-101-i192_notop.h5", "f9a0f6b85faa9c3db2b6e233c4eebb5b"),
        ("imagenet-i192", "resnet-rs-101-i192_notop.h5", "f9a0f6b85faa9c3db2b6e233c4eebb5b"),
        ("imagenet-i160", "resnet-rs-101-i160_notop.h5", "82d5b90c5ce9d710da639d6216d0f979"),
    ],
)
def test_resnet_rs_has_files_for_several_sizes_of_pictures(
    weights, file, digest, monkeypatch
) -> None:
    fetched = []
    get = lambda name, *a, file_hash, **k: fetched.append((name, file_hash))
    monkeypatch.setattr("nacre.applications._weights.get_file", get)
    monkeypatch.setattr(nacre.models.Functional, "load_weights", lambda self, path: None)
    monkeypatch.setattr("nacre.applications.resnet_rs._features", lambda x, member: x)
    ResNetRS101(include_top=False, weights=weights)
    assert fetched == [(file, digest)]


def test_resnet_rs_tells_which_sizes_it_has_files_for() -> None:
    with pytest.raises(ArgumentError) as caught:
        ResNetRS101(weights="imagenet-i224")
    assert "'imagenet', 'imagenet-i160', 'imagenet-i192' or the path" in str(caught.value)


def test_weights_of_a_path_are_read_and_must_fit(tmp_path: Path) -> None:
    model = small(weights=None, include_top=True, classes=3)
    cases.fill(model)
    path = tmp_path / "three.weights.h5"
    model.save_weights(path)
    again = small(weights=path, include_top=True, classes=3)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(WeightsMismatchError, match="conv_preds"):
        small(weights=path, include_top=True, classes=4)


FILES = json.loads(
    (Path(__file__).parents[1] / "reference" / "application_weights.json").read_text("utf-8")
)
QUICK = 'MobileNet {"include_top": false, "alpha": 0.25, "input_shape": [160, 160, 3]}'


class Asked(Exception):
    """A file was asked for."""


@pytest.mark.parametrize(
    ("key", "name", "arguments"),
    [
        pytest.param(
            *row,
            id=re.sub(r"[^\w.]+", "_", row[0]).strip("_"),
            marks=[] if row[0] == QUICK else [pytest.mark.slow],
        )
        for row in cases.weight_files()
    ],
)
def test_files_of_imagenet_are_those_that_keras_asks_for(
    key: str, name: str, arguments: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(file: str, origin: str, *, cache_subdir: str, file_hash: str | None) -> None:
        assert cache_subdir == "models"
        raise Asked(file, origin, file_hash)

    monkeypatch.setattr("nacre.applications._weights.get_file", ask)
    monkeypatch.setattr(
        VarianceScaling, "__call__", lambda self, shape, dtype=None, **_: np.zeros(shape, "float32")
    )
    make = getattr(nacre.applications, name)
    if not name.startswith("VGG"):  # whose end has weights for each place of what is before it
        # What stands between the picture and the end has no part in which file it is.
        monkeypatch.setitem(make.__globals__, "_features", lambda image, *_, **__: image)
    with pytest.raises(Asked) as asked:
        make(**arguments)
    assert list(asked.value.args) == FILES[key]
