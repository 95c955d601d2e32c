"""Upward calls of models: the one file that imports higher floors, inside functions.

`Model.save`, `load_weights` and the like are methods people expect on a model, while files belong
to a higher floor that knows models. Every such call passes through here.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nacre.export.report import Report
    from nacre.models.model import Model


def graph_config(model: Model) -> dict[str, Any]:
    """The config of a model with a graph."""
    from nacre.models.functional import graph_config as make

    return make(model)


def functional_from_config(cls: type[Model], config: dict[str, Any], custom_objects: Any) -> Model:
    """A model with a graph from its config."""
    from nacre.models.functional import functional_from_config as make

    return make(cls, config, custom_objects)


def config_with_vocabularies(model: Model) -> dict[str, Any]:
    """The config of a model as plain data, with what `adapt` found where an argument takes it."""
    from nacre.core.registry import plain_config
    from nacre.saving.assets import fill_vocabularies

    config: dict[str, Any] = plain_config(model)
    fill_vocabularies(config, model)
    return config


def save_model(model: Model, filepath: Any, **kwargs: Any) -> None:
    """Write a whole model."""
    from nacre.saving import save_model as save

    save(model, filepath, **kwargs)


def export_model(model: Model, filepath: Any, *args: Any, **kwargs: Any) -> Report | None:
    """Write what a model computes, for other programs."""
    from nacre.saving.export_archive import export_model as export

    return export(model, filepath, *args, **kwargs)


def save_pretrained(
    model: Model, save_directory: Any, include_optimizer: bool, max_shard_size: Any
) -> None:
    """Write a model with its card into a folder."""
    from nacre.saving.hub import save_pretrained as save

    save(model, save_directory, include_optimizer, max_shard_size)


def push_to_hub(model: Model, repo_id: str, **kwargs: Any) -> str:
    """Send a model with its card to a repository."""
    from nacre.saving.hub import push

    return push(model, repo_id, f"{model._who()}.push_to_hub", **kwargs)


def save_weights(model: Model, filepath: Any, **kwargs: Any) -> None:
    """Write a model's weights."""
    from nacre.saving import save_weights as save

    save(model, filepath, **kwargs)


def check_save_path(model: Model, filepath: Any, *, weights_only: bool) -> None:
    """Raise for a path that could not be written to."""
    from nacre.saving.api import check_save_path as check

    check(model, filepath, weights_only=weights_only)


def load_weights(model: Model, filepath: Any, **kwargs: Any) -> Any:
    """Read a model's weights."""
    from nacre.saving import load_weights as load

    return load(model, filepath, **kwargs)


def to_bytes(model: Model) -> bytes:
    """A model as the bytes of a `.keras` file (for pickle, joblib)."""
    from nacre.saving import model_to_bytes

    return model_to_bytes(model)


def copy_of(model: Model) -> Model:
    """A model with the same state, made of the same classes and functions."""
    from nacre.saving.copies import copy_of as copy

    return copy(model)


def rebuild_from_bytes(data: bytes) -> Model:
    """A model from the bytes of a `.keras` file."""
    from nacre.saving import model_from_bytes

    return model_from_bytes(data)


def imported(module: str) -> ModuleType:
    """A higher module, for names that people look for in `nacre.models`."""
    return importlib.import_module(module)


def migrated(config: dict[str, Any]) -> dict[str, Any]:
    """A model's config in today's form, from Keras 1's, 2's or 3's."""
    from nacre.saving.migrate import from_first_nacre, is_first_nacre, migrate_config

    if is_first_nacre(config):
        config = from_first_nacre(config)
    version = config.get("keras_version") or ("3" if "module" in config else "")
    return migrate_config(config, version)
