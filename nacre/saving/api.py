"""Saving and loading whole models and weights: the public functions."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any, Literal

import h5py

from nacre.core import addresses, safety
from nacre.core.atomic import (
    ask_before_overwriting,
    refuse_non_file,
    target_path,
    write_file,
    write_folder,
)
from nacre.core.errors import (
    ArgumentError,
    FileFormatError,
    NacreError,
    SerializationError,
    message,
    refuse_unknown,
)
from nacre.core.regions import Content, as_bytes
from nacre.core.warning import warn
from nacre.core.wire.bundle import files_of
from nacre.core.wire.tensorflow.saved_model import VARIABLES
from nacre.core.wire.zip import write_archive
from nacre.models import Model, mask_flow
from nacre.saving import archive, building, hdf5, hub, own_part, weights
from nacre.saving.archive import refuse_link
from nacre.saving.checkpoint_graph import find as find_checkpoint
from nacre.saving.files import KINDS, Source, read_whole
from nacre.saving.formats import (
    checkpoint,
    checkpoint_writer,
    h5,
    h5_keras2,
    imported,
    keras_saved_model,
    named_arrays,
    named_shards,
    native,
    orbax_model,
    saved_model,
    shards,
    weights_h5,
)
from nacre.saving.one_step import of_one_step
from nacre.saving.safetensors_index import ENDING, index_of
from nacre.saving.weights import require_built

_H5 = (".h5", ".hdf5", ".hdf")
# Kinds whose numbers have no names of layers: they are opened as whole models alone.
_WHOLE_ALONE = ("onnx", "tflite", "pt2", "tfjs", "frozen_graph")


@of_one_step
def save_model(
    model: Any,
    filepath: Any,
    overwrite: bool = True,
    zipped: bool | None = None,
    *,
    verify: bool = True,
    compat: Literal["keras-2.15"] | None = None,
    **kwargs: Any,
) -> None:
    """Write a whole model: structure, weights, compile arguments and optimizer state.

    The file is written beside the target, read back and compared with memory, and only then takes
    the target's place: a failure leaves the old file as it was.

    An address such as `s3://bucket/m.keras` is written to through fsspec, where it is installed,
    after the file was written and compared on this machine: under another name, and moved, where
    the store can move files; else whole, as object stores show an object when all has arrived.

    A path without an ending, or with `.tf`, is that of a SavedModel folder, as in tf.keras 2:
    TensorFlow loads, calls, trains and serves it, tf.keras 2.15 opens it as a Keras model,
    `load_model` as the very model. In it `saved_model.pb` has the model as functions, for any size
    that its inputs leave open; `variables/` the variables and the optimizer's state;
    `keras_metadata.pb` the layers.

    Keras 3 opens both kinds of files. From `.h5` files it restores no optimizer, also from its own:
    it trains on with a fresh one there. nacre does, and from `.keras` files both do. tf.keras 2.15
    restores it from `.h5` files, of Nadam all but the product of its momenta, and none from
    folders, also of its own: its first steps after loading are others, and nacre's are the same.

    Args:
        model: The model.
        filepath: Path ending in `.keras` or `.h5`, an open `h5py.File`, whose groups of these names
            it replaces in place, or a binary file object (gets `.keras`
            bytes); a folder's path for a SavedModel; or an address; or 'hf://user/name', a
            repository of the Hugging Face hub, as `push_to_hub` fills it.
        overwrite: False asks at a terminal before an existing file is replaced; elsewhere it
            raises, as for a repository that holds a model.
        zipped: False writes a folder with the members of the `.keras` archive.
        verify: False leaves the comparison out, which takes about as long as writing; of a
            SavedModel, that it is read back and run before it is in place.
        compat: 'keras-2.15' writes an `.h5` file that tf.keras 2.15 opens, with its names of
            layers, arguments and optimizers; without it the file is as Keras 3 writes it, which
            2.15 cannot open. Folders always are for both. What 2.15 has no form for is an error;
            of `compile`, a warning, and the file opens uncompiled.
        include_optimizer: False leaves the compile arguments and the optimizer out.
        save_format: 'keras', 'h5' or 'tf' where the ending does not tell (tf.keras 2).
        signatures: For a SavedModel, functions by the names that servers call them by, each a
            `nacre.function` with an `input_signature`; one alone is 'serving_default', which is
            otherwise the model itself.

    Raises:
        FileFormatError: The ending is no format's, or what was written differs from memory.
        SerializationError: With `compat`, tf.keras 2.15 has no form for a part of the model.
        UnsupportedOpError: The model computes something that TensorFlow has no op for; all is told.
    Example:
        >>> import nacre, io
        >>> model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
        >>> file = io.BytesIO()
        >>> save_model(model, file)
        >>> load_model(file.getvalue()).output_shape
        (None, 2)
    """
    if addresses.is_address(filepath):
        who = f"{type(model).__name__} '{getattr(model, 'name', '')}'.save"
        with addresses.written(filepath, who, overwrite) as (path, may_replace):
            save_model(model, path, may_replace, zipped, verify=verify, compat=compat, **kwargs)
        return
    include_optimizer = kwargs.pop("include_optimizer", True)
    save_format = kwargs.pop("save_format", None)
    signatures = kwargs.pop("signatures", None)
    kwargs.pop("options", None)  # of TensorFlow's own writer
    kwargs.pop("save_traces", None)
    who = f"{type(model).__name__} '{getattr(model, 'name', '')}'.save"
    mask_flow.warn_that_keras_differs(model, who)
    refuse_unknown(who, kwargs, save_model)
    if compat not in (None, "keras-2.15"):
        raise ArgumentError(message(f"{who}(compat=...)", "it is 'keras-2.15'", repr(compat)))
    if isinstance(filepath, h5py.File):
        content, groups = _h5_content(model, include_optimizer, compat, who)
        packed = as_bytes(content)
        if verify:
            h5.check(Source(packed, who).opened(), groups, who)
        hdf5.copy_into(filepath, packed, h5.PARTS, who)
        return
    if compat is not None and (hasattr(filepath, "write") or hub.is_hub_path(filepath)):
        raise _not_for_keras2("a file object" if hasattr(filepath, "write") else "the hub", who)
    if hasattr(filepath, "write"):
        members, groups = native.to_files(model, include_optimizer)
        packed = archive.pack(members)
        if verify:
            native.check_archive(Source(packed, who).opened(), groups, who)
        filepath.write(packed)
        return
    if hub.is_hub_path(filepath):
        _save_to_hub(model, filepath, overwrite, include_optimizer, who)
        return
    kind = _kind_of(filepath, save_format, zipped, who)
    if kind == "saved_model":
        if not overwrite:
            ask_before_overwriting(os.fsdecode(filepath), who)
        saved_model.save(model, filepath, include_optimizer, signatures, verify, who)
        return
    if kind == "h5":
        Path(os.fsdecode(filepath)).parent.mkdir(parents=True, exist_ok=True)  # as in tf.keras 2
    path = target_path(filepath, who)
    if compat is not None and kind != "h5":
        raise _not_for_keras2(f"'{path.name}'", who)
    if signatures is not None:
        raise _no_signatures(path, who)
    if kind != "folder":
        refuse_non_file(path, who)
    if not overwrite:
        ask_before_overwriting(path, who)
    if kind == "h5":
        content, groups = _h5_content(model, include_optimizer, compat, who)
        write_file(path, content, partial(h5.check, groups=groups, who=who) if verify else None)
        return
    members, groups = native.to_files(model, include_optimizer, is_folder=kind == "folder")
    if kind == "folder":
        known = frozenset((*archive.MEMBERS, "assets"))
        check = partial(native.check_folder, groups=groups, who=who)
        write_folder(path, members, check if verify else None, known)
    else:
        check = partial(native.check_archive, groups=groups, who=who)
        write_file(path, partial(write_archive, files=members), check if verify else None)


def _h5_content(
    model: Any, include_optimizer: bool, compat: str | None, who: str
) -> tuple[Content, list[Any]]:
    if compat is None:
        return h5.to_content(model, include_optimizer)
    return h5_keras2.to_content(model, include_optimizer, who)


def _kind_of(filepath: Any, save_format: str | None, zipped: bool | None, who: str) -> str:
    """The format of a path; '' of what is none."""
    try:
        return _format_of(Path(os.fsdecode(filepath)), save_format, zipped, who)
    except TypeError:
        return ""


def _save_to_hub(
    model: Any, filepath: Any, overwrite: bool, include_optimizer: bool, who: str
) -> None:
    repository = hub.repository_of(filepath, who)
    if repository.endswith(".keras"):  # as in Keras
        got = f"'{repository}', which would be a file"
        raise ArgumentError(message(who, "hf://user/name must name a repository", got))
    address = hub.push(
        model,
        repository,
        who,
        commit_message="Save model using nacre.",
        overwrite=overwrite,
        include_optimizer=include_optimizer,
    )
    print(f"Saved to the Hugging Face hub: {address}")


def _format_of(path: Path, save_format: str | None, zipped: bool | None, who: str) -> str:
    if path.name.endswith(".weights.h5"):
        raise FileFormatError(
            message(
                who,
                "a whole model's file must end in .keras or .h5",
                f"'{path.name}', the ending of weights alone",
                f"Call save_weights('{path.name}'), or save('{path.name[:-11]}.keras').",
            )
        )
    ending = path.suffix.lower()
    if zipped is False:
        if ending in (".keras", *_H5):
            raise FileFormatError(
                message(
                    who,
                    "with zipped=False the path is a folder's",
                    f"'{path.name}'",
                    "Leave the ending out.",
                )
            )
        return "folder"
    if save_format in ("h5", "hdf5"):
        return "h5"
    if save_format in ("keras", "keras_v3"):
        return "native"
    if save_format == "tf":
        return "saved_model"
    if ending == ".keras":
        return "native"
    if ending in _H5:
        return "h5"
    if ending == ".tf" or _is_none(ending) or path.is_dir():
        return "saved_model"
    raise FileFormatError(
        message(
            who,
            "the path must end in .keras (recommended) or .h5, or be that of a folder",
            f"'{path.name}'",
            f"Call save('{path.stem}.keras'), or save('{path.stem}') for a SavedModel folder.",
        )
    )


def _is_none(ending: str) -> bool:
    """Whether what follows the last point is no ending: 'v1.2', 'run-2026.11.30-12:05'."""
    return not ending.strip(".0123456789-_:")


def _not_for_keras2(got: str, who: str) -> ArgumentError:
    return ArgumentError(
        message(
            f"{who}(compat='keras-2.15')",
            "what tf.keras 2.15 opens is an .h5 file or a SavedModel folder",
            got,
            "Call save('model.h5', compat='keras-2.15'), or save('model').",
        )
    )


def _no_signatures(path: Path, who: str) -> ArgumentError:
    return ArgumentError(
        message(
            who,
            "signatures are those of a SavedModel",
            f"signatures for '{path.name}'",
            f"Call save('{path.stem}', signatures=...), without an ending.",
        )
    )


def load_model(
    filepath: Any,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    *,
    masks: Literal["file", "carry"] = "file",
) -> Any:
    """Open a model saved by nacre or by any version of Keras, or for TFLite or TF.js.

    The format is told by the content, not by the ending. Nothing in the file is run or imported:
    classes are those built in, registered, or passed in.

    Masks propagate through ops in nacre, and end at them in Keras: behind `embedding + positions`
    padded steps count there. A model that Keras wrote keeps Keras's numbers, here, in clones of it
    and when it is saved again; a warning says where that makes a difference.

    Args:
        filepath: Path, bytes, binary file object or open `h5py.File` of a `.keras` or `.h5` model;
            or a folder that `OrbaxCheckpoint` wrote, whose newest model is opened; or
            'hf://user/name', a repository of the Hugging Face hub; or the address of a file, such
            as `s3://bucket/m.keras`, which is fetched through fsspec, where it is installed. A
            SavedModel folder of tf.keras 2 comes back as its layers; what no class is at hand for
            is computed, and trained, by the functions in the folder, Lambda too, whose code is not
            run. A SavedModel without the metadata of Keras, and a frozen graph `graph.pb`, are
            opened by `saving.open_saved_model`: something that is called, no model of layers.
            A file of TFLite, ONNX (operator sets 7 to 28) or `torch.export` (`.pt2` of PyTorch 2.9
            and newer; no pickle in it is opened), and a graph model of TF.js by its `model.json`
            or folder, come back as a functional model of one layer: it predicts, trains what the
            file holds as floats, is saved and exported, and has `signatures` by name. TFLite files
            of whole numbers give LiteRT's numbers or neighbours of them; weights of 8 bits that are
            multiplied with floats are floats here. BatchNormalization of ONNX
            keeps the statistics of the file; what takes or gives strings there is something that is
            called. A layers model of TF.js comes back as its layers.
        custom_objects: name -> class or function for names that are not built in.
        compile: Whether the model is compiled as it was, and the optimizer's state restored.
        safe_mode: False allows Python code stored in the file (lambdas, modules of PyTorch). Only
            for files you trust.
        masks: 'carry' sends masks through ops in a model that Keras wrote too.

    Raises:
        FileFormatError: There is no model at the path.
        SerializationError: The config names something unknown, or holds code.
        WeightsMismatchError: The weights do not fit the config.
    """
    if masks not in ("file", "carry"):
        raise ArgumentError(message("load_model", "masks must be 'file' or 'carry'", repr(masks)))
    if hub.is_hub_path(filepath):
        filepath = hub.fetch(hub.repository_of(filepath, "load_model"), "load_model")

    def read() -> Any:
        source = Source(filepath, "load_model")
        with safety.reading(safe_mode):
            model = _load(source, custom_objects, compile)
        if masks == "carry":
            mask_flow.set_end_at_ops(model, False)
        else:
            mask_flow.warn_that_masks_end(model, source.who)
        return model

    return read_whole(filepath, read)


def _load(source: Source, custom_objects: dict[str, Any] | None, compile: bool) -> Any:
    if source.kind == "h5_model":
        safety.set_file_size(source.size_bytes)
        return h5.load(source.opened(), source.who, custom_objects, compile)
    if source.kind == "named_folder":
        assert source.path is not None
        files = native.read_folder(source.path)
        return native.load(files, source.who, custom_objects, compile, named=source.path)
    if source.kind in ("native", "native_folder"):
        if source.kind == "native":
            files = native.unpack(source.opened(), source.who)
        else:
            assert source.path is not None
            files = native.read_folder(source.path)
        return native.load(files, source.who, custom_objects, compile)
    if source.kind == "saved_model":
        assert source.path is not None
        if own_part.is_there(source.path):
            return _load_own_folder(source.path, source.who, custom_objects, compile)
        return keras_saved_model.load(source.path, source.who, custom_objects, compile)
    if source.kind == "frozen_graph":
        assert source.path is not None
        return keras_saved_model.open_program(source.path)
    if source.kind == "tflite":
        return imported.load_tflite(source)
    if source.kind == "pt2":
        return imported.load_pt2(source)
    if source.kind == "onnx":
        return imported.load_onnx(source)
    if source.kind == "tfjs":
        return imported.load_tfjs(source, custom_objects, compile)
    if source.kind == "orbax":
        assert source.path is not None
        return orbax_model.load(source.path, source.who, custom_objects, compile)
    raise FileFormatError(
        message(
            "load_model",
            "the file must hold a whole model",
            f"{source.who}, {KINDS[source.kind]}",
            "Build the model as it was and call model.load_weights(path).",
        )
    )


def _load_own_folder(
    folder: Path, who: str, custom_objects: dict[str, Any] | None, compile: bool
) -> Any:
    """The model in a SavedModel folder of nacre's; from its functions where a class is missing."""
    try:
        return own_part.load(folder, who, custom_objects, compile)
    except SerializationError as error:
        try:
            model = keras_saved_model.load(folder, who, custom_objects, compile)
        except (NacreError, OSError):
            raise error from None
        if not isinstance(model, Model):
            raise
        warn(
            f"{who} is opened from its functions, which compute and train it but are no layers "
            f"that could be changed or saved whole: {error}",
        )
        return model


@of_one_step
def save_weights(
    model: Any,
    filepath: Any,
    overwrite: bool = True,
    max_shard_size: Any = None,
    *,
    verify: bool = True,
    **kwargs: Any,
) -> None:
    """Write a model's weights: `.weights.h5` in Keras 3's layout, any other `.h5` in the older one.

    A path without an ending, or with `.ckpt`, is the beginning of the names of a checkpoint of
    TensorFlow, as in tf.keras 2, whose models load it; so does `load_weights`.

    `.safetensors` and `.npz` hold the weights by the paths of their variables, such as
    `dense/kernel`, for other tools and languages, and nothing else: no state of an optimizer, no
    seeds of dropout, no vocabularies. NumPy has no bfloat16 and no float8; in an `.npz` they are
    float32, which holds the same numbers.

    Args:
        model: A built model.
        filepath: Path, or an address, as in `save_model`.
        overwrite: As in `save_model`.
        max_shard_size: Gigabytes a file, or a text such as '500MB'. For a path ending in
            `.weights.json`, which then lists the shards beside it; or in `.safetensors`, for files
            such as `model-00001-of-00003.safetensors` with `model.safetensors.index.json`, as
            repositories of the Hugging Face hub have them.
        verify: As in `save_model`.
        save_format: 'h5' or 'tf' where the ending does not tell (tf.keras 2).

    Raises:
        FileFormatError: The ending is no format's, or what was written differs from memory.
    """
    who = f"{type(model).__name__} '{getattr(model, 'name', '')}'.save_weights"
    if addresses.is_address(filepath):
        with addresses.written(filepath, who, overwrite) as (path, may_replace):
            save_weights(model, path, may_replace, max_shard_size, verify=verify, **kwargs)
        return
    save_format = kwargs.pop("save_format", None)
    kwargs.pop("options", None)
    refuse_unknown(who, kwargs, save_weights)
    require_built(model, who)
    if isinstance(filepath, str | os.PathLike):
        beginning = Path(os.fsdecode(filepath))
        is_in_parts = max_shard_size is not None or beginning.suffix == ".json"
        if not is_in_parts and _weights_layout(beginning, save_format, who) == "checkpoint":
            beginning.parent.mkdir(parents=True, exist_ok=True)  # as in tf.keras 2
    path, given = target_path(filepath, who), Path(os.fsdecode(filepath))
    refuse_non_file(path, who)
    if given.name.endswith((".safetensors", ENDING)) and (
        max_shard_size is not None or given.name.endswith(ENDING)
    ):
        limit = named_shards.limit_of(1.0 if max_shard_size is None else max_shard_size, who)
        if not overwrite:
            for place in {path, index_of(path)}:
                ask_before_overwriting(place, who)
        named_shards.save(model, given, limit, who, verify)
        return
    if max_shard_size is not None or given.name.endswith(".weights.json"):
        # Not behind a link: the shards lie beside the list under its name.
        _save_shards(model, given, max_shard_size, overwrite, who, verify)
        return
    layout = _weights_layout(given, save_format, who)
    if not overwrite:
        ask_before_overwriting(files_of(path)[0] if layout == "checkpoint" else path, who)
    if layout == "checkpoint":
        checkpoint_writer.save(model, path, who, verify)
    elif layout in named_arrays.ENDINGS:
        content, arrays = named_arrays.to_content(model, layout)
        check = partial(named_arrays.check, arrays=arrays, who=who)
        write_file(path, content, check if verify else None)
        if layout == ".safetensors":
            named_shards.forget(path)
    elif layout == "keras3":
        content, groups = weights_h5.to_content(model)
        check = partial(weights_h5.check, groups=groups, who=who)
        write_file(path, content, check if verify else None)
    else:
        content, groups = weights_h5.to_legacy_content(model)
        check = partial(weights_h5.check_legacy, groups=groups, who=who)
        write_file(path, content, check if verify else None)


def _weights_layout(path: Path, save_format: str | None, who: str) -> str:
    """'keras3', 'h5', 'checkpoint', or the ending itself where it names the format; raises for an
    ending of none of them."""
    ending = path.suffix.lower()
    if ending in named_arrays.ENDINGS and save_format is None:
        return ending
    if path.name.endswith(".weights.h5"):
        return "keras3"
    if save_format in ("tf", "tensorflow"):
        return "checkpoint"
    if ending in _H5 or save_format in ("h5", "hdf5"):
        return "h5"
    # As in tf.keras 2, whose names of checkpoints also end in numbers: `weights.02-0.53`.
    if save_format is None and (ending in (".ckpt", ".tf") or _is_none(ending)):
        return "checkpoint"
    raise FileFormatError(
        message(
            who,
            "the path must end in .weights.h5 (recommended), .h5, .safetensors or .npz, or in "
            ".ckpt or nothing for a checkpoint of TensorFlow",
            f"'{path.name}'",
            f"Use save_weights('{path.name}.weights.h5').",
        )
    )


def check_save_path(model: Any, filepath: Any, *, weights_only: bool = False) -> None:
    """Raise for a path whose ending `save_model`, or `save_weights`, would refuse.

    Args:
        model: The model that will be written.
        filepath: The path.
        weights_only: Whether it is for `save_weights`.

    Raises:
        FileFormatError: The ending is no format's.
    """
    who = f"{type(model).__name__} '{getattr(model, 'name', '')}'"
    if weights_only:
        _weights_layout(Path(filepath), None, f"{who}.save_weights")
    else:
        _format_of(Path(filepath), None, None, f"{who}.save")


def _save_shards(
    model: Any, path: Path, size: Any, overwrite: bool, who: str, verify: bool
) -> None:
    if not path.name.endswith(".weights.json") or size is None:
        raise ArgumentError(
            message(
                who,
                "a path ending in .weights.json and max_shard_size go together",
                f"'{path.name}' and max_shard_size={size}",
            )
        )
    if not overwrite:
        ask_before_overwriting(path, who)
    groups = weights.collect(model, optimizer=bool(getattr(model, "compiled", False)))
    shards.save(groups, path, named_shards.limit_of(size, who) / 2**30, who, verify)


class MatchedWeights:
    """What `load_weights` gives of a checkpoint, as in tf.keras 2: all weights of the model were
    found in it, or that was an error already."""

    def expect_partial(self) -> MatchedWeights:
        """Nothing is said of what the file has besides."""
        return self

    def assert_existing_objects_matched(self) -> MatchedWeights:
        """Nothing: they were."""
        return self

    def assert_nontrivial_match(self) -> MatchedWeights:
        """The same."""
        return self


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> Any:
    """Set a model's weights from a `.weights.h5`, `.h5` or `.keras` file of any Keras.

    Of a checkpoint that tf.keras or `tf.train.Checkpoint` wrote, by the path without `.index` or by
    its folder, of which the newest is taken; the optimizer's state comes with the weights where
    the model is compiled. The model may have any name in it. Of a SavedModel folder, its variables
    in the same way.

    Of a folder that `OrbaxCheckpoint` wrote, the newest weights; the optimizer's state comes with
    them where the model is compiled.

    Of a `.safetensors` or `.npz` file, or of safetensors files with an index (by the index's path,
    its folder's, or that of a whole file in their place), by the paths of the variables,
    `dense/kernel`; where numbers of automatic names differ, `dense_4/kernel`, in their order. It
    has no optimizer's state, which stays as it is. A name in the file that the model lacks is an
    error too, as it says that the file is of another model; nothing is ever unpickled.

    A model that is not built yet is built for what its file says: whole models, and weights that
    nacre wrote, tell what their model was built for; of `.weights.h5` files of Keras the arrays
    tell it for a `Sequential`, where they are enough: not for a Flatten before a Dense.

    Args:
        model: The model.
        filepath: Path, bytes or binary file object, or the address of a file, as in `load_model`.
        skip_mismatch: Leave out what does not fit, with a warning that lists it.
        by_name: Match layers by name (`.h5` in the older layout only).

    Raises:
        WeightsMismatchError: Something does not fit; nothing was changed.
    """
    who = f"{type(model).__name__} '{getattr(model, 'name', '')}'.load_weights"
    by_name = bool(kwargs.pop("by_name", False))
    kwargs.pop("options", None)
    refuse_unknown(who, kwargs, load_weights)
    return read_whole(filepath, lambda: _load_weights(model, filepath, skip_mismatch, by_name, who))


def _load_weights(model: Any, filepath: Any, skip_mismatch: bool, by_name: bool, who: str) -> Any:
    source = Source(filepath, who)
    if not model.built:
        building.build_from(model, source)
    require_built(model, who)
    if source.kind == "orbax":
        assert source.path is not None
        orbax_model.load_weights(model, source.path, source.who, bool(skip_mismatch))
        return None
    if source.kind == "saved_model" and not own_part.is_there(source.path or Path()):
        source.path, source.kind = _variables_of(source), "checkpoint"
    if source.kind == "checkpoint":
        assert source.path is not None
        if by_name:
            got = f"{source.who}, {KINDS[source.kind]}"
            raise ArgumentError(message(who, "by_name=True needs an .h5 file", got))
        checkpoint.load_weights(model, source.path, source.who, bool(skip_mismatch))
        return None if skip_mismatch else MatchedWeights()
    if source.kind in ("safetensors", "npz", "named_shards", "named_folder"):
        if by_name:
            raise ArgumentError(
                message(
                    who,
                    "by_name=True needs an .h5 file",
                    f"{source.who}, {KINDS[source.kind]}",
                    "Its names are matched anyway: use skip_mismatch=True for those in both.",
                )
            )
        if source.kind in ("named_shards", "named_folder"):
            assert source.path is not None
            with named_shards.opened(source.path, source.who) as file:
                named_arrays.set_weights(model, file, source.who, bool(skip_mismatch))
            return None
        named_arrays.load(model, source, bool(skip_mismatch))
        return None
    if source.kind in _WHOLE_ALONE:
        raise FileFormatError(
            message(
                who,
                "the file must hold weights under the names of layers",
                f"{source.who}, {KINDS[source.kind]}",
                f"Open it as a model: nacre.models.load_model('{source.name}'). Where its weights "
                "are this model's: model.set_weights(load_model(...).get_weights()).",
            )
        )
    weights_h5.load(model, source, by_name, bool(skip_mismatch))
    return None


def _variables_of(source: Source) -> Path:
    """The checkpoint of the variables in a SavedModel folder."""
    assert source.path is not None
    refuse_link(source.path / "variables", source.who)
    found = find_checkpoint(source.path / VARIABLES)
    if found is None:
        raise FileFormatError(
            message(
                source.who,
                "a SavedModel folder must hold its variables to set weights from",
                f"no '{VARIABLES}.index' in it",
                "Its numbers may be constants of its graph: load_model opens it.",
            )
        )
    return found


__all__ = ["load_model", "load_weights", "save_model", "save_weights"]
