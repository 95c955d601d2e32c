"""A change of a public name or signature is a decision, so it shows in a file."""

from tests.architecture import public_names


def test_public_names_and_signatures_are_as_agreed() -> None:
    changes = public_names.difference()
    assert not changes, (
        "Public names changed. If on purpose: python -m tests.architecture.public_names --write\n"
        + "\n".join(changes[:60])
    )


def test_every_public_name_has_a_docstring() -> None:
    missing = [
        name
        for name, value in public_names.public_objects()
        if callable(value)
        and str(getattr(value, "__module__", "")).startswith("nacre")
        and not (getattr(value, "__doc__", None) or "").strip()
    ]
    assert not missing
