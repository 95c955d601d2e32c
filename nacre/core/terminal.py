"""Text for streams that do not hold every sign: pipes on Windows, C locales, old terminals."""

from __future__ import annotations

import sys

from nacre.core.errors import printable

# Drawing signs -> what stands for them where the stream's encoding has none of them. All of one
# width, so that tables stay straight; the last ones only occur in sentences.
_PLAIN = str.maketrans(
    dict.fromkeys("┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋┡┩╇╈╰╯╭╮", "+")
    | dict.fromkeys("━═", "=")
    | dict.fromkeys("─╌╸╺", "-")
    | dict.fromkeys("│┃║", "|")
    | {"→": ">", "←": "<", "·": ".", "•": "*", "×": "x", "−": "-", "–": "-", "—": "-", "…": "..."}
    | {"✓": "v", "✗": "x", "²": "2", "≤": "<=", "≥": ">=", "≈": "~"}
)


def encodable(text: str, encoding: str | None) -> str:
    """`text` as an encoding can hold it: the same where it can, plain signs where it cannot.

    What steers a terminal is spelt out, as names in a text may come from a file.

    All drawing signs are exchanged as soon as one does not fit, so that a table is of one kind.

    Args:
        text: Any text.
        encoding: Name of a codec; None or an unknown one leaves the text as it is.

    Example:
        >>> encodable("├─ dense │ 64", "cp1252"), encodable("├─ dense │ 64", "utf-8")
        ('+- dense | 64', '├─ dense │ 64')
    """
    text = printable(text)
    if not encoding or text.isascii():
        return text
    try:
        text.encode(encoding)
        return text
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:
        return text


def stdout_encoding() -> str | None:
    """The encoding of what is printed; None where stdout has none (a StringIO holds every sign)."""
    return getattr(sys.stdout, "encoding", None)


def show(text: str) -> None:
    """Print a line in signs that stdout can hold.

    Example:
        >>> show("Epoch 1/2")
        Epoch 1/2
    """
    print(encodable(text, stdout_encoding()), flush=True)


__all__ = ["encodable", "show", "stdout_encoding"]
