"""Folders of models for the Hugging Face hub, and the way there and back.

A folder holds the members of a `.keras` archive, which is what Keras's own `save("hf://…")` writes,
and a card. The package `huggingface_hub` is imported when something is sent or fetched; what was
fetched is read with the same care as any file.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from nacre.core.atomic import recover, target_path, write_folder
from nacre.core.errors import ArgumentError, NacreError, NotBuiltError, message
from nacre.core.interop import optional_import
from nacre.core.regions import Content, Region
from nacre.core.warning import warn
from nacre.core.wire import safetensors
from nacre.models import mask_flow
from nacre.saving import archive, model_card
from nacre.saving.formats import named_arrays, named_shards, native
from nacre.saving.one_step import of_one_step
from nacre.saving.reloading import custom_parts
from nacre.saving.safetensors_index import ENDING, WHOLE, index_in
from nacre.saving.seeds import seeds_of

_PREFIX = re.compile(r"^hf:/{1,2}")  # pathlib makes one slash of two
_REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")
# Enough for a model in any of the formats: a repository may hold much more.
_WANTED = ["*.json", "*.h5", "*.keras", "*.safetensors", "assets/**"]


class HubError(NacreError, OSError):
    """The Hugging Face hub did not do what it was asked for."""


def is_hub_path(filepath: Any) -> bool:
    """Whether it is a path of the hub, `hf://user/name`."""
    return isinstance(filepath, str | os.PathLike) and bool(_PREFIX.match(str(os.fspath(filepath))))


def is_repository(name: str) -> bool:
    """Whether it may be the name of a repository.

    Example:
        >>> is_repository("user/name"), is_repository("./folder"), is_repository("a/b/c")
        (True, False, False)
    """
    return bool(_REPOSITORY.fullmatch(name)) and not name.startswith(".")


def repository_of(filepath: Any, who: str) -> str:
    """The repository that a path of the hub names.

    Raises:
        ArgumentError: It names none.
    """
    name = _PREFIX.sub("", str(os.fspath(filepath)))
    if not is_repository(name):
        raise ArgumentError(
            message(
                who,
                "a path of the Hugging Face hub must be hf://user/name",
                repr(str(filepath)),
                "For a branch or a commit: nacre.models.from_pretrained('user/name', "
                "revision='...').",
            )
        )
    return name


# ------------------------------------------------------------------------------ writing


@of_one_step
def save_pretrained(
    model: Any, save_directory: Any, include_optimizer: bool, max_shard_size: Any = None
) -> None:
    """Write a model and its card into a folder; see `Model.save_pretrained`."""
    who = f"{model._who()}.save_pretrained"
    if is_hub_path(save_directory):
        raise ArgumentError(
            message(who, "it writes a folder here", repr(save_directory), "Call push_to_hub.")
        )
    files, groups = _files(model, include_optimizer, who)
    shards: list[Any] = []
    if max_shard_size is not None:
        files.pop(archive.WEIGHTS)
        more, shards = _shards(model, named_shards.limit_of(max_shard_size, who))
        files |= more
        _tell_what_is_left_out(model, include_optimizer, who)
    given = Path(os.fsdecode(save_directory))
    given.parent.mkdir(parents=True, exist_ok=True)
    path = target_path(given, who)
    recover(path)
    try:
        card: bytes | None = (path / model_card.NAME).read_bytes()
    except OSError:  # nothing is there
        card = None
    if card is None or not model_card.is_kept(card):
        # Where it lies on this machine is nobody's business.
        card = _card(model, path.name if given.is_absolute() else given.as_posix())
    files = {**files, model_card.NAME: card}
    if max_shard_size is None:
        _write(path, files, groups, who)
        return

    def check(folder: Path) -> None:
        for name, part in shards:
            named_arrays.check(folder / name, part, who)

    write_folder(path, files, check, _known(path))


def _shards(model: Any, limit: float) -> tuple[dict[str, Content], list[tuple[str, Any]]]:
    """safetensors files of the weights and their index; and what is in each."""
    _, streams = named_arrays.to_content(model, ".safetensors")
    parts = named_shards.parts_of(streams, limit)
    names = [named_shards.shard_name("model", n, len(parts)) for n in range(1, len(parts) + 1)]
    by_name = dict(zip(names, parts, strict=True))
    checksums: dict[str, str] = {}
    files: dict[str, Content] = {}
    for name, part in by_name.items():

        def fill(region: Region, name: str = name, part: Any = part) -> None:
            checksums[name] = safetensors.write(region, part, named_arrays.METADATA)

        files[name] = fill
    # Behind the files, whose checksums it has.
    files[f"model{ENDING}"] = lambda r: r.write(named_shards.index_text(by_name, checksums))
    return files, list(by_name.items())


def _tell_what_is_left_out(model: Any, include_optimizer: bool, who: str) -> None:
    optimizer = getattr(model, "optimizer", None) if include_optimizer else None
    left = ["the optimizer's state"] if optimizer is not None and optimizer.built else []
    left += ["the seeds of layers"] if seeds_of(model) else []
    if left:
        warn(
            message(
                who,
                "safetensors files hold the weights alone",
                f"a model with more, which is left out: {' and '.join(left)}",
                "Without max_shard_size the folder holds all. To leave it out without this "
                "message: include_optimizer=False, for a model that draws no numbers.",
            )
        )


def _known(path: Path) -> frozenset[str]:
    """Names of files that a folder may have which is replaced."""
    known = {*archive.MEMBERS, "assets", model_card.NAME}
    if path.is_dir():
        known |= {n for n in os.listdir(path) if n.endswith((".safetensors", ENDING))}
    return frozenset(known)


def _files(model: Any, include_optimizer: bool, who: str) -> tuple[dict[str, Content], list[Any]]:
    if not model.built:
        fix = "Call it on a batch first, or model.build((None, ...))."
        raise NotBuiltError(
            message(
                who, "the model must be built, as its card tells shapes", "one that is not", fix
            )
        )
    mask_flow.warn_that_keras_differs(model, who)
    return native.to_files(model, include_optimizer, is_folder=True)


def _card(model: Any, place: str) -> bytes:
    custom = sorted({part.__name__ for part in custom_parts(model)} - {"<lambda>"})
    return model_card.model_card(model, place, custom).encode()


def _write(path: Path, files: dict[str, Content], groups: list[Any], who: str) -> None:
    check = partial(native.check_folder, groups=groups, who=who)
    write_folder(path, files, check, _known(path))


def push(
    model: Any,
    repo_id: str,
    who: str,
    *,
    commit_message: str,
    private: bool | None = None,
    token: str | bool | None = None,
    branch: str | None = None,
    create_pr: bool | None = None,
    include_optimizer: bool = True,
    overwrite: bool = True,
) -> str:
    """Send a model with its card to a repository, which is made where it is not there.

    Returns:
        The address of the commit.
    Raises:
        HubError: The hub refused.
    """
    if not isinstance(repo_id, str) or not is_repository(repo_id):
        raise ArgumentError(message(who, "repo_id must be 'user/name'", repr(repo_id)))
    package = _package(who)
    files, groups = _files(model, include_optimizer, who)  # before anything is made there
    with _refusals_named(who, repo_id):
        api = package.HfApi(
            token=token, library_name="nacre", library_version=native.nacre_version()
        )
        made = api.create_repo(repo_id, private=private, exist_ok=True)
        repo_id = getattr(made, "repo_id", repo_id)  # with the user's name in front
        if branch is not None:
            api.create_branch(repo_id, branch=branch, exist_ok=True)
        is_taken = not overwrite and api.file_exists(repo_id, archive.CONFIG, revision=branch)
        is_own_card = False
        if api.file_exists(repo_id, model_card.NAME, revision=branch):
            card = Path(api.hf_hub_download(repo_id, model_card.NAME, revision=branch))
            is_own_card = model_card.is_kept(card.read_bytes())
    if is_taken:
        rule = "with overwrite=False the repository must hold no model"
        raise ArgumentError(message(who, rule, f"'{repo_id}', which does"))
    if not is_own_card:
        files = {**files, model_card.NAME: _card(model, repo_id)}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        _write(folder, files, groups, who)
        with _refusals_named(who, repo_id):
            commit = api.upload_folder(
                repo_id=repo_id,
                folder_path=str(folder),
                commit_message=commit_message,
                revision=branch,
                create_pr=create_pr,
            )
    return str(getattr(commit, "pr_url", None) or getattr(commit, "commit_url", commit))


# ------------------------------------------------------------------------------ fetching


def fetch(
    repo_id: str,
    who: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: Any = None,
    force_download: bool = False,
    local_files_only: bool = False,
) -> Path:
    """Download a repository; the file or folder in it that holds the model.

    Raises:
        HubError: The hub refused.
        ArgumentError: There is none, or there are several.
    """
    package = _package(who)
    with _refusals_named(who, repo_id):
        folder = Path(
            package.snapshot_download(
                repo_id=repo_id,
                revision=revision,
                token=token,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                allow_patterns=_WANTED,
                library_name="nacre",
                library_version=native.nacre_version(),
            )
        )
    return model_in(folder, f"'{repo_id}'", who)


def model_in(folder: Path, name: str, who: str) -> Path:
    """The folder itself where it holds the members of a model, or else the one file in it.

    Raises:
        ArgumentError: There is no model in it, or there are several.
    """
    names = sorted(os.listdir(folder))
    if archive.CONFIG in names and (
        archive.WEIGHTS in names or WHOLE in names or index_in(folder) is not None
    ):
        return folder
    found = _model_files(folder)
    if len(found) == 1:
        archive.refuse_link(folder / found[0], who)
        return folder / found[0]
    if found:
        fix = f"Fetch one of them: huggingface_hub.hf_hub_download({name}, '{found[0]}')."
        raise ArgumentError(
            message(who, "it must hold one model", f"{name} with {', '.join(found)}", fix)
        )
    raise ArgumentError(
        message(
            who,
            "it must hold a model of nacre or of Keras 3: config.json and model.weights.h5, or a "
            ".keras or .h5 file",
            f"{name} with {', '.join(names[:8]) or 'no such file'}",
        )
    )


def only_model_file(folder: Path) -> Path | None:
    """The one `.keras` or `.h5` file in a folder that is no unzipped model itself."""
    found = _model_files(folder)
    is_unzipped = (folder / archive.CONFIG).is_file() and (folder / archive.WEIGHTS).is_file()
    return folder / found[0] if len(found) == 1 and not is_unzipped else None


def _model_files(folder: Path) -> list[str]:
    return [
        name
        for name in sorted(os.listdir(folder))
        if name.endswith((".keras", ".h5")) and not name.endswith(".weights.h5")
    ]


def _package(who: str) -> Any:
    return optional_import("huggingface_hub", extra="hub", who=who)


@contextmanager
def _refusals_named(who: str, repo_id: str) -> Generator[None]:
    """What the package raises, in one form; it has many kinds, some of its HTTP library."""
    try:
        yield
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), "")[:200]
        raise HubError(
            message(
                f"{who}, '{repo_id}'",
                "the Hugging Face hub must give or take it",
                f"{type(error).__name__}: {reason}",
                _FIXES.get(type(error).__name__, "Look at the connection and try again."),
            )
        ) from error


_LOG_IN = "Log in with `hf auth login`, or pass token=."
_FIXES = {
    "RepositoryNotFoundError": f"Look at the name. A private one needs you: {_LOG_IN}",
    "GatedRepoError": f"Ask for access on its page. {_LOG_IN}",
    "RevisionNotFoundError": "Look at the branches and commits on its page.",
    "HfHubHTTPError": _LOG_IN,
    "LocalTokenNotFoundError": _LOG_IN,
    "HFValidationError": "A repository is called 'user/name'.",
    "LocalEntryNotFoundError": "It is not in the cache: fetch it once with a connection.",
}


__all__ = [
    "HubError", "fetch", "is_hub_path", "is_repository", "model_in", "only_model_file", "push",
    "repository_of", "save_pretrained",
]  # fmt: skip
