"""Folders of `save_pretrained`, and the Hugging Face hub, for which a module here stands in."""

from __future__ import annotations

import json
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.saving.hub import HubError

X = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)


def _trained() -> Any:
    model = nacre.Sequential([nacre.Input((4,), name="x"), layers.Dense(2)], name="mine")
    model.compile("adam", "mse")
    model.fit(X, X[:, :2], epochs=2, verbose=0)
    return model


class _Hub(types.ModuleType):
    """What is used of `huggingface_hub`, with repositories that are folders."""

    def __init__(self, place: Path) -> None:
        super().__init__("huggingface_hub")
        self.place = place
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.fails: Exception | None = None

    def _called(self, name: str, **given: Any) -> Path:
        self.calls.append((name, given))
        if self.fails is not None:
            raise self.fails
        return self.place / str(given.get("repo_id"))

    def HfApi(self, **given: Any) -> Any:
        self._called("HfApi", **given)
        return self

    def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> Any:
        repo_id = repo_id if "/" in repo_id else f"user/{repo_id}"
        folder = self._called("create_repo", repo_id=repo_id, private=private, exist_ok=exist_ok)
        folder.mkdir(parents=True, exist_ok=True)
        return types.SimpleNamespace(repo_id=repo_id)

    def create_branch(self, repo_id: str, *, branch: str, exist_ok: bool) -> None:
        self._called("create_branch", repo_id=repo_id, branch=branch, exist_ok=exist_ok)

    def file_exists(self, repo_id: str, filename: str, *, revision: str | None) -> bool:
        return (self._called("file_exists", repo_id=repo_id) / filename).exists()

    def hf_hub_download(self, repo_id: str, filename: str, *, revision: str | None) -> str:
        return str(self._called("hf_hub_download", repo_id=repo_id) / filename)

    def upload_folder(self, *, folder_path: str, **given: Any) -> Any:
        shutil.copytree(folder_path, self._called("upload_folder", **given), dirs_exist_ok=True)
        return types.SimpleNamespace(commit_url="https://hub/commit", pr_url=None)

    def snapshot_download(self, **given: Any) -> str:
        return str(self._called("snapshot_download", **given))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Hub:
    module = _Hub(tmp_path / "hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return module


# ------------------------------------------------------------------------------ folders here


def test_a_folder_opens_with_the_same_bits_and_trains_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # as where it is not installed
    model = _trained()
    model.save_pretrained(tmp_path / "new" / "mine")
    again = nacre.models.from_pretrained(tmp_path / "new" / "mine")
    for one in (model, again):
        one.fit(X, X[:, :2], epochs=1, shuffle=False, verbose=0)
    assert np.array_equal(again(X), model(X))
    assert int(again.optimizer.iterations) == 3


def test_the_card_says_what_people_ask_first(tmp_path: Path) -> None:
    _trained().save_pretrained(tmp_path / "mine")
    card = (tmp_path / "mine" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: nacre\n")
    assert "nacre.models.from_pretrained('mine')" in card
    assert "| input | x | (batch, 4) | float32 |" in card
    assert "| output | dense" in card
    assert "10 in all, 10 of them are trained." in card
    assert "| optimizer | Adam, learning rate 0.001 |" in card
    assert "| epochs | 2 |" in card
    assert str(tmp_path) not in card


def test_names_stay_text_in_the_card(tmp_path: Path) -> None:
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(1)], name="<b>|a")
    model.save_pretrained(tmp_path / "mine")
    assert "# &lt;b>\\|a\n" in (tmp_path / "mine" / "README.md").read_text()


def test_a_card_names_the_authors_classes(tmp_path: Path) -> None:
    class Tripled(layers.Layer):
        def call(self, x: Any) -> Any:
            return x * 3

    nacre.Sequential([nacre.Input((4,)), Tripled()]).save_pretrained(tmp_path / "mine")
    assert "code of its author's: `Tripled`" in (tmp_path / "mine" / "README.md").read_text()


def test_a_card_that_was_edited_stays(tmp_path: Path) -> None:
    model = _trained()
    model.save_pretrained(tmp_path / "mine")
    card = tmp_path / "mine" / "README.md"
    first = card.read_text()
    model.fit(X, X[:, :2], epochs=5, verbose=0)
    model.save_pretrained(tmp_path / "mine")
    assert card.read_text() != first  # nobody edited it
    card.write_text("My own words.")
    model.save_pretrained(tmp_path / "mine")
    assert card.read_text() == "My own words."


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"thesis\.txt"):
        _trained().save_pretrained(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_folder_with_one_model_file_opens(tmp_path: Path) -> None:
    model = _trained()
    model.save(tmp_path / "model.keras")
    assert np.array_equal(nacre.models.from_pretrained(tmp_path)(X), model(X))


def test_code_in_a_folder_does_not_run(tmp_path: Path) -> None:
    model = nacre.Sequential([nacre.Input((4,)), layers.Lambda(lambda x: x * 2)])
    with pytest.warns(UserWarning, match="lambda"):
        model.save_pretrained(tmp_path / "mine")
    config = json.loads((tmp_path / "mine" / "config.json").read_text())
    config["config"]["layers"][1]["config"]["function"]["config"]["defaults"] = [1]  # another's
    (tmp_path / "mine" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="must not run code"):
        nacre.models.from_pretrained(tmp_path / "mine")


# ------------------------------------------------------------------------------ the hub


def test_without_the_package_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    model = _trained()
    line = r'pip install "nacre\[hub\]"'
    for act in (
        lambda: model.push_to_hub("user/name"),
        lambda: model.save("hf://user/name"),
        lambda: nacre.models.load_model("hf://user/name"),
    ):
        with pytest.raises(ImportError, match=line):
            act()
    with pytest.raises(ImportError, match=line + ".*no folder 'user/name' here"):
        nacre.models.from_pretrained("user/name")


def test_a_pushed_model_comes_back(hub: _Hub) -> None:
    model = _trained()
    address = model.push_to_hub(
        "name", commit_message="First", private=True, token="t", branch="dev"
    )
    assert address == "https://hub/commit"
    called = dict(hub.calls)
    assert called["HfApi"]["token"] == "t"
    assert called["create_repo"] == {"repo_id": "user/name", "private": True, "exist_ok": True}
    assert called["upload_folder"]["commit_message"] == "First"
    assert called["upload_folder"]["revision"] == called["create_branch"]["branch"] == "dev"
    assert "from_pretrained('user/name')" in (hub.place / "user/name/README.md").read_text()
    again = nacre.models.from_pretrained("user/name", revision="dev", token="t")
    called = dict(hub.calls)
    assert (called["snapshot_download"]["revision"], called["snapshot_download"]["token"]) == (
        "dev",
        "t",
    )
    assert np.array_equal(again(X), model(X))
    assert int(again.optimizer.iterations) == int(model.optimizer.iterations)


def test_paths_of_the_hub_save_and_load(hub: _Hub, capsys: pytest.CaptureFixture[str]) -> None:
    model = _trained()
    model.save("hf://user/name")
    assert "https://hub/commit" in capsys.readouterr().out
    assert np.array_equal(nacre.models.load_model("hf://user/name")(X), model(X))
    with pytest.raises(ValueError, match="overwrite=False"):
        model.save("hf://user/name", overwrite=False)
    with pytest.raises(ValueError, match="hf://user/name"):
        nacre.models.load_model("hf://user/name/part")
    with pytest.raises(ValueError, match="a repository"):
        model.save("hf://user/name.keras")


def test_a_card_edited_on_the_hub_stays(hub: _Hub) -> None:
    model = _trained()
    model.push_to_hub("user/name")
    (hub.place / "user/name/README.md").write_text("Mine.")
    model.push_to_hub("user/name")
    assert (hub.place / "user/name/README.md").read_text() == "Mine."


def test_a_folder_here_comes_before_the_hub(
    hub: _Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _trained().save_pretrained("user/name")
    nacre.models.from_pretrained("user/name")
    assert hub.calls == []


def test_what_the_hub_refuses_is_named(hub: _Hub) -> None:
    class RepositoryNotFoundError(Exception):
        pass

    hub.fails = RepositoryNotFoundError("401 Client Error.\nlong story")
    with pytest.raises(HubError, match="'user/name'.*401 Client Error.*hf auth login"):
        nacre.models.from_pretrained("user/name")
    with pytest.raises(OSError, match="push_to_hub, 'user/name'"):
        _trained().push_to_hub("user/name")


def test_a_repository_without_a_model_says_what_is_in_it(hub: _Hub) -> None:
    folder = hub.place / "user" / "name"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_text("")
    with pytest.raises(ValueError, match=r"'user/name' with config\.json, pytorch_model\.bin"):
        nacre.models.load_model("hf://user/name")


def test_links_out_of_a_fetched_folder_are_refused(hub: _Hub, tmp_path: Path) -> None:
    model = _trained()
    model.save(tmp_path / "secret.keras")
    folder = hub.place / "user" / "name"
    folder.mkdir(parents=True)
    (folder / "m.keras").symlink_to(tmp_path / "secret.keras")
    with pytest.raises(ValueError, match="links out of their folder"):
        nacre.models.from_pretrained("user/name")


def test_nothing_is_made_on_the_hub_for_a_model_that_cannot_be_saved(hub: _Hub) -> None:
    with pytest.raises(ValueError, match="built"):
        nacre.Sequential([layers.Dense(1)]).push_to_hub("user/name")
    assert hub.calls == []
