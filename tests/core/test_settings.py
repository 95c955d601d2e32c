"""Settings as attributes, frozen or not."""

import pytest

from nacre.core.errors import ArgumentError
from nacre.core.settings import Config


def test_entries_are_attributes_and_items():
    config = Config(rate=0.1, inner={"a": 1})
    config.steps = 3
    config["name"] = "x"
    config.update(more=True)
    assert config.rate == 0.1 and config["steps"] == 3 and "name" in config and len(config) == 5
    assert list(config.keys()) == list(config) == ["rate", "inner", "steps", "name", "more"]
    assert config.pop("more") and config.get("more", 7) == 7
    del config.name
    assert config.as_dict() == {"rate": 0.1, "inner": {"a": 1}, "steps": 3}
    assert config.to_json() == '{"rate": 0.1, "inner": {"a": 1}, "steps": 3}'
    with pytest.raises(AttributeError, match="'nothing'"):
        _ = config.nothing


@pytest.mark.parametrize(
    "change",
    [
        lambda c: setattr(c, "a", 2),
        lambda c: c.update(a=2),
        lambda c: c.pop("a"),
        lambda c: c.__setitem__("a", 2),
        lambda c: c.__delitem__("a"),
        lambda c: delattr(c, "a"),
    ],
)
def test_a_frozen_config_does_not_change(change):
    config = Config(a=1)
    config.freeze()
    with pytest.raises(ArgumentError, match=r"unfreeze\(\)"):
        change(config)
    assert config.frozen and config.a == 1
    config.unfreeze()
    change(config)
    assert config.as_dict() != {"a": 1}
