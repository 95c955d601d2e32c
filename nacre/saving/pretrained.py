"""`from_pretrained`: models from folders and from the Hugging Face hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from nacre.core.atomic import recover
from nacre.core.errors import MissingPackageError
from nacre.saving import hub
from nacre.saving.api import load_model


def from_pretrained(
    pretrained_model_name_or_path: Any,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: Any = None,
    force_download: bool = False,
    local_files_only: bool = False,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    masks: Literal["file", "carry"] = "file",
) -> Any:
    """Open a model from a folder that `save_pretrained` wrote, or from the Hugging Face hub.

    What is at the path here is taken first. Without it, a name such as 'user/name' is a repository
    of the hub, fetched by the package `huggingface_hub`; it may hold an unzipped model, as nacre
    and Keras 3 write it, or one `.keras` or `.h5` file. Code in it never runs, as with every file.

    Args:
        pretrained_model_name_or_path: A folder or file here, or a repository: 'user/name' or
            'hf://user/name'.
        revision: Branch, tag or commit; 'main' by default.
        token: True for the one that was stored at login, or the token itself.
        cache_dir: Where the package keeps what it fetched.
        force_download: Fetch what is there already.
        local_files_only: Take what is in the cache, without a connection.
        custom_objects: As in `load_model`.
        compile: As in `load_model`.
        safe_mode: As in `load_model`.
        masks: As in `load_model`.

    Raises:
        MissingPackageError: `huggingface_hub` is not installed; folders here do without.
        HubError: The hub did not give it.
        FileFormatError: There is no model at the path.
    Example:
        >>> import nacre, pathlib, tempfile
        >>> model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
        >>> folder = pathlib.Path(tempfile.mkdtemp()) / "mine"
        >>> model.save_pretrained(folder)
        >>> from_pretrained(folder).output_shape
        (None, 2)
    """
    who = "from_pretrained"
    path = pretrained_model_name_or_path
    if isinstance(path, str | os.PathLike):
        here, name = Path(path), str(os.fspath(path))
        recover(here)
        if hub.is_hub_path(path) or (not os.path.lexists(here) and hub.is_repository(name)):
            if hub.is_hub_path(path):
                name = hub.repository_of(path, who)
            try:
                path = hub.fetch(
                    name,
                    who,
                    revision=revision,
                    token=token,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                )
            except (MissingPackageError, hub.HubError) as error:
                if hub.is_hub_path(pretrained_model_name_or_path):
                    raise
                text = f"{error} There is no folder '{name}' here either."
                raise type(error)(text) from error.__cause__
        elif here.is_dir():
            path = hub.only_model_file(here) or here
    return load_model(path, custom_objects, compile, safe_mode, masks=masks)


__all__ = ["from_pretrained"]
