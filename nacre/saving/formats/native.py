"""The `.keras` format of Keras 3: a zip archive (or folder) of metadata, config and weights."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py

from nacre.core import safety
from nacre.core.errors import (
    FileFormatError,
    SerializationError,
    WeightsMismatchError,
    message,
)
from nacre.core.file_errors import naming
from nacre.core.origins import is_own_bug_whatever_was_read, passed_users_code
from nacre.core.regions import Content, StoredPart, as_bytes
from nacre.core.registry import (
    CustomObjectScope,
    deserialize_keras_object,
    on_object_created,
    plain_config,
)
from nacre.core.warning import warn
from nacre.models import mask_flow
from nacre.models.graph_calls import MASKS_END_AT_OPS
from nacre.optimizers import Optimizer
from nacre.saving import archive, assets, hdf5, trainable_flags, weights
from nacre.saving.formats import named_arrays, named_shards
from nacre.saving.lambdas import take_out_code
from nacre.saving.migrate import from_first_nacre, migrate_config
from nacre.saving.migrate_training import migrate_compile
from nacre.saving.old_arguments import settle_compile
from nacre.saving.reloading import refuse_what_cannot_come_back
from nacre.saving.shared_calls import with_counts_of_file, with_counts_of_graphs, with_shared_layers

# The version whose files ours are like; Keras reads it to choose how to open them.
KERAS_VERSION = "3.15.1"

# The members of an archive or a folder.
Files = Mapping[str, bytes | StoredPart | hdf5.Outline]


def nacre_version() -> str:
    """The version of the package, which is loaded whenever this file is."""
    return sys.modules["nacre"].__version__


def to_files(
    model: Any, include_optimizer: bool = True, is_folder: bool = False
) -> tuple[dict[str, Content], list[Any]]:
    """The members of a `.keras` archive or folder, and the arrays in it."""
    files = texts_of(model, include_optimizer)
    groups = weights.collect(model, include_optimizer) + weights.collect_metrics(model)
    content = weights.content(groups, checksums=is_folder)
    first = {name: files.pop(name) for name in (archive.METADATA, archive.CONFIG)}
    return {**first, archive.WEIGHTS: content, **files}, groups


def texts_of(model: Any, include_optimizer: bool) -> dict[str, bytes]:
    """The members of a `.keras` archive or folder but the arrays."""
    config = with_counts_of_file(plain_config(model))
    if not include_optimizer:
        config.pop("compile_config", None)
    training = config.get("compile_config")
    rest = {key: value for key, value in config.items() if key != "compile_config"}
    refuse_what_cannot_come_back(model, rest, training)
    metadata: dict[str, Any] = {"keras_version": KERAS_VERSION, "nacre_version": nacre_version()}
    metadata[trainable_flags.KEY] = trainable_flags.flags_of(model)
    if mask_flow.has_flag_outside_config(model):
        metadata[MASKS_END_AT_OPS] = True
    return {
        archive.METADATA: json.dumps(metadata).encode(),
        archive.CONFIG: config_text(config, f"model '{model.name}'").encode(),
        **assets.collect(model),
    }


def config_text(config: Any, who: str) -> str:
    """A config as JSON.

    Raises:
        FileFormatError: It holds something JSON cannot.
    """
    try:
        text = json.dumps(config)
    except (TypeError, ValueError) as error:
        raise FileFormatError(
            message(
                who,
                "its config must be plain data",
                str(error),
                "Return numbers, texts, lists and dicts from get_config().",
            )
        ) from None
    if '"__lambda__"' in text:
        warn(
            f"{who} holds a lambda, saved as compiled Python code: other processes open the file "
            "only with safe_mode=False and this version of Python. A named function, registered "
            "with @nacre.saving.register_keras_serializable(), opens everywhere.",
        )
    return text


def check_archive(source: Any, groups: list[Any], who: str) -> None:
    """Raise unless a written archive opens and holds exactly these arrays."""
    _check(unpack(str(source) if isinstance(source, Path) else source, who), groups, who)


def unpack(source: Any, who: str) -> Files:
    """The members of an archive that belong to the format."""
    return archive.unpack(source, archive.MEMBERS, who, assets.FOLDER, in_place=True)


def check_folder(folder: Path, groups: list[Any], who: str) -> None:
    """The same for the unzipped form."""
    _check(read_folder(folder), groups, who)


def _check(files: Files, groups: list[Any], who: str) -> None:
    archive.read_json(member_text(files, archive.CONFIG), "the config", who)
    with hdf5.open_file(files[archive.WEIGHTS], who, verify=False) as file:
        weights.compare(file, groups, who)


def member_text(files: Files, name: str) -> bytes:
    """A member that is no weights; empty JSON where there is none."""
    content = files.get(name, b"{}")
    assert isinstance(content, bytes)  # weights alone are left where they are
    return content


def read_folder(folder: Path) -> Files:
    """The members of an unzipped model."""
    return archive.read_folder(folder, archive.MEMBERS, assets.FOLDER, f"'{folder.name}'")


def load(
    files: Files,
    who: str,
    custom_objects: dict[str, Any] | None,
    compile: bool,
    named: Path | None = None,
) -> Any:
    """The model in the members of an archive.

    Args:
        named: The folder of safetensors files that have the weights in place of the archive's.
    """
    if named is not None:
        files = {**files, archive.WEIGHTS: as_bytes(weights.content([], checksums=False))}
    config, metadata = _config_and_metadata(files, who)
    safety.set_file_size(len(files[archive.WEIGHTS]))
    version = str(metadata.get("keras_version", "3"))
    compile_config = config.pop("compile_config", None)
    is_by_nacre = "nacre_version" in metadata
    is_by_older = is_by_nacre and trainable_flags.KEY not in metadata
    with naming(who, archive.CONFIG):
        if not is_by_nacre:
            # A class of the user's may have a built-in one's name.
            with CustomObjectScope(custom_objects):
                config = migrate_config(config, version)
        if is_by_nacre:
            config = from_first_nacre(with_counts_of_graphs(config))
        assets.add_group_paths(config)
        config, functions = take_out_code(config, who)
    with (
        CustomObjectScope({**functions, **(custom_objects or {})}),
        hdf5.open_file(files[archive.WEIGHTS], who) as file,
    ):

        def build(config: Any) -> Any:
            with naming(who, archive.CONFIG):
                with on_object_created(assets.AdaptedRestorer(files, file, who)):
                    model = deserialize_keras_object(config)
                require_model(model)
                assets.restore(model, files)
            with naming(who, archive.WEIGHTS):
                if named is None:
                    weights.restore(model, file, who, is_new=True, is_by_older=is_by_older)
                else:
                    weights.require_built(model, who)
                    with named_shards.opened(named, who) as arrays:
                        named_arrays.set_weights(model, arrays, who, skip_mismatch=False)
            return model

        model = build_fitting(build, config, is_by_nacre)
        trainable_flags.restore(model, metadata.get(trainable_flags.KEY), who)
        if compile and compile_config:
            _compile_and_restore(model, compile_config, file, "" if is_by_nacre else version, who)
    if not is_by_nacre or metadata.get(MASKS_END_AT_OPS):
        mask_flow.set_end_at_ops(model, True)
    return model


def _config_and_metadata(files: Files, who: str) -> tuple[dict[str, Any], dict[str, Any]]:
    for name in (archive.CONFIG, archive.WEIGHTS):
        if name not in files:
            raise FileFormatError(
                message(
                    who,
                    f"a .keras file must hold {', '.join(archive.MEMBERS)}",
                    f"an archive without {name}",
                    "It may be another kind of zip file.",
                )
            )
    config = archive.read_json(member_text(files, archive.CONFIG), "config.json", who)
    metadata = archive.read_json(member_text(files, archive.METADATA), "metadata.json", who)
    if not isinstance(config, dict) or "class_name" not in config:
        raise FileFormatError(message(who, "config.json must describe a model", str(config)[:80]))
    return config, metadata if isinstance(metadata, dict) else {}


def _is_old(version: str) -> bool:
    return version.split(".")[0] in ("1", "2")


def _compile_and_restore(
    model: Any, config: dict[str, Any], file: h5py.File, version: str, who: str
) -> None:
    """Compile with what a file of a version of Keras says, and set the optimizer's state."""
    is_old = _is_old(version)
    with naming(who, "compile arguments"):
        if is_old:
            config = migrate_compile(config, model)
        if version:
            config = settle_compile(config, version)
    compile_model(model, config, who)
    with naming(who, f"optimizer in {archive.WEIGHTS}"):
        weights.restore_optimizer(model, file, who)
    if is_old and isinstance(model.optimizer, Optimizer) and "optimizer" not in file:
        warn(
            f"{who} holds no state of optimizer '{model.optimizer.name}': tf.keras 2 leaves out "
            "that of its legacy optimizers in .keras files. Training starts with a fresh state; "
            "an .h5 file of the same model has it."
        )


def build_fitting(build: Callable[[Any], Any], config: Any, is_by_nacre: bool) -> Any:
    """The model that `build` makes; if its weights do not fit, with equal layers shared."""
    try:
        return build(config)
    except WeightsMismatchError:
        other = None if is_by_nacre else with_shared_layers(config)
        if other is None:
            raise
        with contextlib.suppress(WeightsMismatchError):
            return build(other)
        raise


def require_model(model: Any) -> None:
    """Raise unless what a config describes is a model.

    Raises:
        FileFormatError: It is something else.
    """
    if not hasattr(model, "get_config"):  # a FeatureSpace is no Model
        rule = "what it describes must be a model"
        raise FileFormatError(message("config", rule, type(model).__name__))


def compile_model(model: Any, config: dict[str, Any], who: str) -> None:
    """Compile with what a file says.

    Raises:
        SerializationError: Something in it is unknown here.
    """
    try:
        model.compile_from_config(config)
    except Exception as error:
        if passed_users_code(error) or is_own_bug_whatever_was_read(error):
            raise
        raise SerializationError(
            message(
                f"{who}, compile arguments",
                "the loss, metrics and optimizer it was compiled with must be known",
                f"{type(error).__name__}: {error}"[:600],
                "Pass custom_objects={'name': ...}, or load_model(path, compile=False) and compile "
                "anew.",
            )
        ) from error


__all__ = [
    "KERAS_VERSION", "Files", "build_fitting", "check_archive", "check_folder", "compile_model",
    "config_text", "load", "member_text", "nacre_version", "require_model", "read_folder",
    "texts_of", "to_files", "unpack",
]  # fmt: skip
