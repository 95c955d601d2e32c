"""From a name, a config, a class or a callable to an object: what `get` of a namespace does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nacre.core.errors import ArgumentError, SerializationError, message, unknown_name
from nacre.core.kinds import is_dict
from nacre.core.registry import deserialize_keras_object, get_registered_object


def of_role(found: Any, role: str, who: str, noun: str, given: Any) -> Any:
    """What a config or a name described, where it may play a role: `found`.

    An object whose class says another role may not, nor what cannot be called; a function, or an
    object of a class that says none, may.

    Args:
        found: An object.
        role: What the `_config_role` of its class must be; several, parted by spaces.
        who: Who asks, for the message.
        noun: What it must be, with its article.
        given: The config or the name.

    Raises:
        SerializationError: It is something else, such as a layer where an optimizer is asked for.
    Example:
        >>> of_role(abs, "initializer", "initializers.get", "an initializer", "abs")
        <built-in function abs>
    """
    own = getattr(found, "_config_role", None)
    if found is None or (callable(found) if own is None else own in role.split()):
        return found
    got = type(found).__name__ if own is None else f"the {own} {type(found).__name__}"
    raise SerializationError(
        message(who, f"what a config describes must be {noun}", f"{got}, from {given!r:.80}")
    )


class Lookup:
    """How one namespace finds its objects.

    Args:
        namespace: Its last name, such as "initializers"; configs without a module belong to
            `keras.<namespace>`.
        noun: What it holds, with its article, for messages.
        objects: Public name -> class or function.
        legacy: Older spelling -> public name.
        advice: What to pass instead, for the message about something that cannot be one.
        roles: What classes found through configs may say they are; see `of_role`. Empty: anything.
        make: How a class named by a string becomes an object; calling it, by default.

    Example:
        >>> lookup = Lookup("shapes", "a shape", {"List": list}, {"array": "List"}, "Pass a list.")
        >>> lookup.get("array"), lookup.get(None), lookup.get(len)
        ([], None, <built-in function len>)
    """

    def __init__(
        self,
        namespace: str,
        noun: str,
        objects: Mapping[str, Any],
        legacy: Mapping[str, str],
        advice: str,
        *,
        roles: str = "",
        make: Callable[[type], Any] | None = None,
    ) -> None:
        self.namespace = namespace
        self.noun = noun
        self.objects = dict(objects)
        self.legacy = dict(legacy)
        self.advice = advice
        self.roles = roles
        self.make = make or _called

    @property
    def functions(self) -> frozenset[str]:
        """Names of the functions among the objects: those a config may name."""
        return frozenset(
            name for name, value in self.objects.items() if not isinstance(value, type)
        )

    def get(self, identifier: Any) -> Any:
        """The object for a name, a config, a class or a callable; None for None.

        Raises:
            UnknownNameError: A string that names nothing here.
            ArgumentError: Something that cannot be one.
        """
        if identifier is None:
            return None
        if isinstance(identifier, str | dict):
            return self.deserialize(identifier)
        if isinstance(identifier, type):
            return self.make(identifier)
        if callable(identifier):
            return identifier
        raise ArgumentError(
            message(
                f"{self.namespace}.get",
                f"{self.noun} must be a name, a config or a callable",
                repr(identifier),
                self.advice,
            )
        )

    def deserialize(self, config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
        """The object a config or a name describes."""
        if isinstance(config, str):
            return self._named(config, custom_objects)
        if config is None or callable(config):  # an object already
            return config
        if not is_dict(config) or "class_name" not in config:
            rule = "a config must be a name, or a dict with class_name and config"
            got = repr(config)[:100]
            raise ArgumentError(message(f"{self.namespace}.deserialize", rule, got, self.advice))
        if "config" not in config:
            return self._named(config["class_name"], custom_objects)
        if not config.get("module"):
            config = {**config, "module": f"keras.{self.namespace}"}
        return self._of_role(deserialize_keras_object(config, custom_objects), config)

    def _named(self, name: str, custom_objects: dict[str, Any] | None) -> Any:
        found = get_registered_object(name, custom_objects)
        if found is None:
            found = self.objects.get(self.legacy.get(name, name))
        if found is None:
            known = {*self.objects, *self.legacy}
            raise unknown_name(f"{self.namespace}.get", self.noun, name, known)
        return self._of_role(self.make(found) if isinstance(found, type) else found, name)

    def _of_role(self, found: Any, given: Any) -> Any:
        who = f"{self.namespace}.deserialize"
        return of_role(found, self.roles, who, self.noun, given) if self.roles else found


def _called(cls: type) -> Any:
    return cls()


def named(namespace: Mapping[str, Any], public: Iterable[str], besides: Iterable[str]) -> Any:
    """The objects of a namespace by public name, without its helpers."""
    left_out = {"get", "serialize", "deserialize", *besides}
    return {name: namespace[name] for name in public if name not in left_out}
