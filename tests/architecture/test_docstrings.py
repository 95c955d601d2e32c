"""Docstrings describe the arguments that exist."""

from tests.architecture import docstrings


def test_described_arguments_exist() -> None:
    wrong, _ = docstrings.problems()
    assert not wrong, "Described, but not in the signature:\n" + "\n".join(wrong)


def test_described_reads_the_args_section() -> None:
    text = """Sentence.

    Args:
        first: One thing
            on two lines: really.
        second, third: Two things.
        **kwargs: More.

    Raises:
        ArgumentError: fourth.
    """
    assert docstrings.described(text) == ["first", "second", "third", "kwargs"]
