"""YAML as plain data: what JSON has too, and nothing that a tag could make.

PyYAML finds the parts; they are turned into values here, so that no constructor of its runs but
those of scalars. Read off texts of `Model.to_yaml` of Keras up to 2.5: tuples are tagged
`!!python/tuple`, and a value that stands twice is an alias of the first.
"""

from __future__ import annotations

from typing import Any

from nacre.core.errors import FileFormatError, message
from nacre.core.interop import optional_import

_TAG = "tag:yaml.org,2002:"
_LISTS = (f"{_TAG}seq", f"{_TAG}python/tuple")
# Aliases of aliases of aliases describe more than memory holds.
_MAX_VALUES = 1_000_000


def read_yaml(text: str | bytes, what: str, who: str) -> Any:
    """YAML as dicts, lists, texts and numbers; tuples become lists.

    Args:
        text: The text.
        what: How errors call it.
        who: Who reads it.

    Raises:
        FileFormatError: It is no YAML, holds anything else, or describes too much.
        MissingPackageError: PyYAML is not installed.
    """
    yaml: Any = optional_import("yaml", extra="yaml", who=who)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return _Values(yaml, what, who).value(node)
    except FileFormatError:
        raise
    except RecursionError:
        got = "parts within one another, or within themselves, too deep"
        raise FileFormatError(message(who, f"{what} must be YAML of a model", got)) from None
    except (yaml.YAMLError, ValueError) as error:
        got = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise FileFormatError(message(who, f"{what} must be YAML", got)) from None


class _Values:
    """Makes values of PyYAML's nodes."""

    def __init__(self, yaml: Any, what: str, who: str) -> None:
        self._what, self._who = what, who
        self._count = 0
        self._node_types: tuple[Any, Any, Any] = (
            yaml.ScalarNode,
            yaml.SequenceNode,
            yaml.MappingNode,
        )
        simple = yaml.constructor.SafeConstructor()
        self._scalars: dict[str, Any] = {
            f"{_TAG}null": simple.construct_yaml_null,
            f"{_TAG}bool": simple.construct_yaml_bool,
            f"{_TAG}int": simple.construct_yaml_int,
            f"{_TAG}float": simple.construct_yaml_float,
            f"{_TAG}str": simple.construct_yaml_str,
        }

    def value(self, node: Any) -> Any:
        """The value of a node; values an alias stands for are made anew, and count."""
        self._count += 1
        if self._count > _MAX_VALUES:
            raise self._refused(
                f"at most {_MAX_VALUES:,} values", "aliases within aliases, which are more"
            )
        scalar, sequence, mapping = self._node_types
        if isinstance(node, scalar) and node.tag in self._scalars:
            try:
                return self._scalars[node.tag](node)
            except (KeyError, OverflowError) as error:  # !!bool x
                raise ValueError(f"{node.value!r} for {node.tag}") from error
        if isinstance(node, sequence) and node.tag in _LISTS:
            return [self.value(item) for item in node.value]
        if isinstance(node, mapping) and node.tag == f"{_TAG}map":
            return self._dict(node, scalar)
        tag = "nothing" if node is None else "!!" + str(node.tag).removeprefix(_TAG)
        raise self._refused(
            "plain values (dicts, lists, tuples, texts, numbers)",
            tag if node is None else f"the tag {tag} in line {node.start_mark.line + 1}",
        )

    def _dict(self, node: Any, scalar: Any) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, item in node.value:
            name = self.value(key) if isinstance(key, scalar) else None
            if name is None or name in found:
                raise self._refused("names that are texts, each once", f"'{key.value}'"[:100])
            found[name] = self.value(item)
        return found

    def _refused(self, rule: str, got: str) -> FileFormatError:
        return FileFormatError(
            message(
                self._who,
                f"{self._what} must hold {rule}",
                got,
                "What else a tag names is never made, as it could run code: write the value itself "
                "there.",
            )
        )


__all__ = ["read_yaml"]
