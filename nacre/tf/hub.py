"""`tensorflow_hub` on folders and archives that are there, and on the folder of its cache."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from nacre.core.errors import AbsentFileError, ArgumentError, message
from nacre.core.registry import register
from nacre.datasets.download import unpack_tar
from nacre.export.importers.tensorflow.layer import TFSMLayer
from nacre.export.importers.tensorflow.program import open_saved_model


def _cache() -> Path:
    """The folder of downloaded modules, as tensorflow_hub has it."""
    return Path(os.environ.get("TFHUB_CACHE_DIR") or Path(tempfile.gettempdir()) / "tfhub_modules")


def resolve(handle: Any) -> str:
    """The folder of a module.

    Args:
        handle: A folder; an archive, `.tgz` or `.tar.gz`; or an address, whose module must be in
            the cache, `TFHUB_CACHE_DIR`, in the folder that is called after the address's SHA-1.

    Raises:
        AbsentFileError: It is not there; the message says where it is looked for.
    """
    text = os.fspath(handle)
    if "://" in text:
        folder = _cache() / hashlib.sha1(text.encode()).hexdigest()
        if (folder / "saved_model.pb").is_file():
            return str(folder)
        raise AbsentFileError(
            message(
                f"hub.resolve('{text}')",
                "nothing is downloaded: the module must be in the cache",
                f"no '{folder}' with a saved_model.pb",
                "Fetch its archive and unpack it there, or pass the folder you unpacked it to.",
            )
        )
    path = Path(text)
    if path.is_file() and text.endswith((".tgz", ".tar.gz")):
        return str(_unpacked(path))
    if not path.is_dir():
        rule = "there must be a folder, or an archive of one"
        raise AbsentFileError(message(f"hub.resolve('{text}')", rule, "none"))
    return text


def _unpacked(path: Path) -> Path:
    """The folder of an archive, unpacked once for its content."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha1").hexdigest()
    folder = _cache() / digest
    if not (folder / "saved_model.pb").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A folder that is found later must be whole, whenever the process ends.
        with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
            whole = Path(beside) / "module"
            unpack_tar(path, whole)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(whole, folder)
    return folder


def load(handle: Any, tags: Any = None, options: Any = None) -> Any:
    """Open a module: its functions by attribute, its `signatures`; see `tf.saved_model.load`.

    Args:
        handle: What `resolve` takes.
        tags: Those of the graph, where there are several.
        options: Accepted for compatibility.
    """
    return open_saved_model(resolve(handle), tags)


def _endpoint(path: str, signature: str | None) -> str:
    """What is called: a signature that is asked for, else the module itself, else its default."""
    if signature is not None:
        return signature
    program = open_saved_model(path)
    if "__call__" in program._children():
        return "__call__"
    known = ("serving_default", "default", *program.signatures)
    return next((name for name in known if name in program.signatures), "__call__")


@register("layers/HubKerasLayer", class_name="KerasLayer")
class KerasLayer(TFSMLayer):
    """A module as a layer.

    Args:
        handle: What `resolve` takes.
        trainable: Whether its trainable variables are trained, and its code for training runs.
        arguments: Further arguments of its function, by name.
        signature: The signature that is called; by default `__call__`.
        signature_outputs_as_dict: Whether a signature gives a dict.
        output_key: Which of several outputs is taken.
        tags, output_shape, load_options: Accepted for compatibility.
        kwargs: `name`, `dtype`, `input_shape` and so on.

    Source:
        tensorflow_hub 0.15. Differs: nothing is downloaded.
    """

    def __init__(
        self, handle: Any, trainable: bool = False, arguments: Any = None, _sentinel: Any = None,
        tags: Any = None, signature: str | None = None,
        signature_outputs_as_dict: bool | None = None, output_key: str | None = None,
        output_shape: Any = None, load_options: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        path = resolve(handle)
        shape = kwargs.pop("input_shape", None)
        super().__init__(path, _endpoint(path, signature), trainable=trainable, **kwargs)
        if shape is not None:
            self._batch_input_shape = (None, *shape)
        self.handle, self.arguments = handle, dict(arguments or {})
        self.signature, self.output_key = signature, output_key
        self.signature_outputs_as_dict = signature_outputs_as_dict
        self._choose(trainable)

    def _choose(self, trainable: bool) -> None:
        """What is called, in training too, with all further arguments."""
        function, named = self._serve, self.arguments
        if "training" in getattr(function, "argument_names", ()):
            self._serve = functools.partial(function, **{"training": False, **named})
            self._train = functools.partial(function, **{"training": trainable, **named})
        elif named:
            self._serve = self._train = functools.partial(function, **named)

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """What the module gives for inputs."""
        return self._picked(super().call(inputs, training))

    def _picked(self, found: Any) -> Any:
        if self.output_key is not None:
            if not isinstance(found, dict) or self.output_key not in found:
                keys = sorted(found) if isinstance(found, dict) else "one output"
                rule = "output_key must be one of the module's outputs"
                raise ArgumentError(message(self._who(), rule, f"'{self.output_key}'", f"{keys}."))
            return found[self.output_key]
        if isinstance(found, dict) and not self.signature_outputs_as_dict and self.signature:
            if "default" in found:
                return found["default"]
            if len(found) == 1:
                return next(iter(found.values()))
        return found


__all__ = ["KerasLayer", "load", "resolve"]
