"""Strings, on the host: arrays of `bytes` objects."""

from __future__ import annotations

import base64
import codecs
import itertools
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nacre.core.fingerprint import farm_fingerprint, sip_fingerprint
from nacre.export.importers.tensorflow.backtracking import may_take_forever
from nacre.export.importers.tensorflow.registry import Node, op
from nacre.export.importers.tensorflow.values import (
    GraphError,
    dtype,
    ints,
    known,
    of_bytes,
    strings,
)

_ESCAPED = "surrogateescape"  # bytes that are no text are kept as they are


def each(value: Any, function: Callable[[bytes], bytes]) -> np.ndarray[Any, Any]:
    """A function of each string."""
    array = strings(value)
    return of_bytes([function(item) for item in array.flat], array.shape)


def text(data: bytes) -> str:
    return data.decode("utf-8", _ESCAPED)


def data_of(string: str) -> bytes:
    return string.encode("utf-8", _ESCAPED)


@op("StringLower", "StringUpper", host=True)
def _case(node: Node, x: Any) -> Any:
    """ASCII letters alone, or with `utf-8` all letters."""
    is_lower = node.op == "StringLower"
    if bytes(node.get("encoding") or b"").lower() in (b"utf-8", b"utf8"):
        change = str.lower if is_lower else str.upper
        return each(x, lambda item: data_of(change(text(item))))
    return each(x, bytes.lower if is_lower else bytes.upper)


@op("StringStrip", host=True)
def _strip(node: Node, x: Any) -> Any:
    return each(x, lambda item: item.strip(b" \t\n\v\f\r"))


@op("StringJoin", host=True)
def _join(node: Node, *values: Any) -> Any:
    arrays = np.broadcast_arrays(*[strings(value) for value in values])
    separator = bytes(node.get("separator") or b"")
    joined = [separator.join(parts) for parts in zip(*[a.flat for a in arrays], strict=True)]
    return of_bytes(joined, arrays[0].shape)


@op("ReduceJoin", host=True)
def _reduce_join(node: Node, x: Any, axes: Any) -> Any:
    array, separator = strings(x), bytes(node.get("separator") or b"")
    over = [axis % max(array.ndim, 1) for axis in ints(axes)]
    if np.ndim(axes) and not over:
        return array
    rest = [axis for axis in range(array.ndim) if axis not in over]
    moved = np.transpose(array, [*rest, *reversed(over)])
    sizes = moved.shape[: len(rest)]
    rows = moved.reshape(int(np.prod(sizes, dtype=int)), -1)
    joined = of_bytes([separator.join(row) for row in rows], sizes)
    for axis in sorted(over) if node.get("keep_dims") else ():
        joined = np.expand_dims(joined, axis)
    return joined


@op("StringLength", host=True)
def _length(node: Node, x: Any) -> Any:
    array = strings(x)
    if node.get("unit") == b"UTF8_CHAR":
        # A character begins with each byte that does not go on with one.
        sizes = [sum(byte & 0xC0 != 0x80 for byte in item) for item in array.flat]
    else:
        sizes = [len(item) for item in array.flat]
    return np.asarray(sizes, np.int32).reshape(array.shape)


@op("Substr", host=True)
def _substring(node: Node, x: Any, position: Any, length: Any) -> Any:
    array, at, sizes = np.broadcast_arrays(strings(x), np.asarray(position), np.asarray(length))
    found: list[bytes] = []
    in_characters = node.get("unit") == b"UTF8_CHAR"
    for item, begin, size in zip(array.flat, at.flat, sizes.flat, strict=True):
        whole: Any = text(item) if in_characters else item
        start = int(begin)
        if not -len(whole) <= start <= len(whole):
            raise GraphError(f"place {start} of a string of {len(whole)}")
        start += len(whole) if start < 0 else 0
        part = whole[start : start + max(int(size), 0)]
        found.append(data_of(part) if in_characters else part)
    return of_bytes(found, array.shape)


# --- regular expressions --------------------------------------------------------------------------

_POSIX = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z",
    "space": r"\t\n\v\f\r ", "punct": r"!-/:-@\[-`{-~", "xdigit": "0-9a-fA-F", "word": r"\w",
    "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f", "print": " -~", "graph": "!-~",
    "ascii": r"\x00-\x7f",
}  # fmt: skip


def expression(pattern: bytes) -> re.Pattern[str]:
    """An expression of RE2 as one of Python.

    Source: github.com/google/re2/wiki/Syntax. Differs here: classes of letters are of ASCII there,
    `$` is the end of the text alone, `{,3}` stands for itself, `\\p{...}` are classes of Unicode,
    case is that of Unicode; it has no look-around, back references and possessive repetition.
    """
    kept = _EXPRESSIONS.get(pattern)
    if kept is None:
        try:
            translated = _translated(text(pattern))
            kept = re.compile(translated, 0 if _ignores_case(translated) else re.ASCII)
            is_slow = may_take_forever(translated)
        except (re.error, RecursionError, OverflowError) as error:
            raise GraphError(f"the expression {pattern!r}: {error}") from None
        if is_slow:
            raise GraphError(f"the expression {pattern!r} may take Python forever, unlike RE2")
        if len(_EXPRESSIONS) > 500:
            _EXPRESSIONS.clear()
        _EXPRESSIONS[pattern] = kept
    return kept


_EXPRESSIONS: dict[bytes, re.Pattern[str]] = {}


_FLAGS = re.compile(r"\(\?([ims]*)(-[ims]+)?([:)])")
_COUNT = re.compile(r"\{(\d+)(,(\d*))?\}")
_MOST_COUNT = 1000  # of RE2
# Letters that Python takes for others where case is ignored, and RE2 does only in part.
_ODD_CASE = re.compile("[\u0130\u0131\u017f\u212a]")


def _ignores_case(pattern: str) -> bool:
    """Whether some of a translated expression does."""
    return any("i" in found[1] for found in _FLAGS.finditer(pattern))


def _translated(pattern: str) -> str:
    parts: list[str] = []
    at, in_class = 0, False
    beginning = _FLAGS.match(pattern)
    has_lines = beginning is not None and "m" in beginning[1] and beginning[3] == ")"
    while at < len(pattern):
        letter = pattern[at]
        if not in_class and letter in "*+?{(":
            part = _operator(pattern, at, has_lines)
            if letter in "*+?{" and part not in ("{", "\\{"):
                _refuse_second(pattern, at + len(part))
            if part == "{":  # no repetition: it stands for itself
                part = "\\{"
                at -= 1
            parts.append(part)
            at += len(part)
            continue
        if letter == "\\" and at + 1 < len(pattern):
            part, at = _escape(pattern, at, in_class)
            parts.append(part)
            continue
        if in_class and pattern.startswith("[:", at):
            end = pattern.find(":]", at)
            name = pattern[at + 2 : end]
            if end < 0 or name not in _POSIX:
                raise GraphError(f"the class '[:{name}:]'")
            parts.append(_POSIX[name])
            at = end + 2
            continue
        if letter == "[":
            if in_class:
                parts.append("\\[")
            else:
                in_class = True
                start = at + (2 if pattern.startswith("[^", at) else 1)
                parts.append(pattern[at:start])
                if pattern.startswith("]", start):
                    parts.append("\\]")
                    start += 1
                at = start
                continue
        elif letter == "]" and in_class:
            in_class = False
            parts.append(letter)
        elif letter == "$" and not in_class:
            parts.append("(?=\\n|\\Z)" if has_lines else "\\Z")
        elif in_class and letter in "&~|-" and pattern.startswith(letter * 2, at):
            parts.append("\\" + letter)  # of which Python warns
        else:
            parts.append(letter)
        at += 1
    return "".join(parts)


def _operator(pattern: str, at: int, has_lines: bool) -> str:
    """What begins at an operator: it whole, or `{` where that is none."""
    letter = pattern[at]
    if letter == "{":
        found = _COUNT.match(pattern, at)
        if found is None:
            return "{"
        if max(int(found[1]), int(found[3] or 0)) > _MOST_COUNT:
            raise GraphError(f"more than {_MOST_COUNT} repetitions in {pattern!r}")
        return found[0]
    if not pattern.startswith("(?", at):
        return letter
    flags = _FLAGS.match(pattern, at)
    if flags is not None and ("m" not in flags[1] or (has_lines and at == 0)):
        return flags[0]
    if pattern.startswith("(?P<", at):
        return "(?P<"
    raise GraphError(f"'{pattern[at : at + 4]}' in the expression {pattern!r}")


def _refuse_second(pattern: str, at: int) -> None:
    """Raise for what RE2 does not read behind a repetition: Python repeats without a way back."""
    if pattern.startswith("?", at):
        at += 1
    if pattern.startswith("+", at):
        raise GraphError(f"a repetition that is repeated, in the expression {pattern!r}")


# Within brackets, what `\\d` and such take, and what they do not: of ASCII alone.
_OF_ASCII = {
    "d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r ",
    "D": r"\x00-/:-\U0010ffff", "W": r"\x00-/:-@\[-\^`{-\U0010ffff",
    "S": r"\x00-\x08\x0b\x0e-\x1f!-\U0010ffff",
}  # fmt: skip
_WORD = "[0-9A-Za-z_]"
_EDGES = {
    "b": f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))",
    "B": f"(?:(?<={_WORD})(?={_WORD})|(?<!{_WORD})(?!{_WORD}))",
}


def _escape(pattern: str, at: int, in_class: bool) -> tuple[str, int]:
    letter = pattern[at + 1]
    if letter in "pP":
        if pattern.startswith("{", at + 2):
            end = pattern.find("}", at)
            name, end = pattern[at + 3 : end], end + 1
        else:
            name, end = pattern[at + 2 : at + 3], at + 3
        is_other = (letter == "P") ^ name.startswith("^")
        inner = _unicode_class(name.removeprefix("^"), is_other)
        return (inner if in_class else f"[{inner}]"), end
    if letter in _OF_ASCII:
        inner = _OF_ASCII[letter]
        return (inner if in_class else f"[{inner}]"), at + 2
    if letter in _EDGES and not in_class:
        return _EDGES[letter], at + 2
    if letter == "z":
        return "\\Z", at + 2
    if letter == "x" and pattern.startswith("{", at + 2):
        end = pattern.find("}", at)
        return re.escape(chr(int(pattern[at + 3 : end], 16))), end + 1
    if letter == "Q":
        end = pattern.find("\\E", at)
        end = len(pattern) if end < 0 else end
        return re.escape(pattern[at + 2 : end]), min(end + 2, len(pattern))
    octal = re.compile("0[0-7]{0,2}|[1-7][0-7]{1,2}").match(pattern, at + 1)
    if octal is not None:
        return re.escape(chr(int(octal[0], 8))), octal.end()
    if letter in "Afnrtvax" and not (letter == "A" and in_class):
        return pattern[at : at + 2], at + 2
    if not letter.isalnum():
        return re.escape(letter), at + 2
    raise GraphError(f"'\\{letter}' in the expression {pattern!r}")


_CLASSES: dict[tuple[str, bool], str] = {}


def _unicode_class(name: str, is_other: bool) -> str:
    """The letters of a category of Unicode (`P`, `Lu`) or of a script, within brackets."""
    key = name, is_other
    if key not in _CLASSES:
        scripts = {
            "Han": "CJK UNIFIED", "Latin": "LATIN", "Greek": "GREEK", "Cyrillic": "CYRILLIC",
            "Hiragana": "HIRAGANA", "Katakana": "KATAKANA", "Hangul": "HANGUL",
            "Arabic": "ARABIC", "Hebrew": "HEBREW", "Thai": "THAI", "Devanagari": "DEVANAGARI",
        }  # fmt: skip
        if name in scripts:
            begin = scripts[name]
            holds = [unicodedata.name(chr(i), "").startswith(begin) for i in range(0x30000)]
        elif 1 <= len(name) <= 2 and name[0] in "LMNPSZC":
            holds = [unicodedata.category(chr(i)).startswith(name) for i in range(0x30000)]
        else:
            raise GraphError(f"the class '\\p{{{name}}}'")
        ranges: list[str] = []
        start: int | None = None
        for i, is_in in enumerate([*holds, is_other]):
            if (is_in ^ is_other) and start is None:
                start = i
            elif not (is_in ^ is_other) and start is not None:
                ranges.append(f"\\U{start:08x}-\\U{i - 1:08x}")
                start = None
        if is_other:
            ranges.append("\\U00030000-\\U0010ffff")
        _CLASSES[key] = "".join(ranges)
    return _CLASSES[key]


def _rewrite(told: bytes) -> str:
    r"""A text to put in place: `\0` the whole, `\1` a group, `\\` a backslash."""
    parts = re.split(r"\\([0-9\\])", text(told))
    out = [parts[0].replace("\\", "\\\\")]
    for sign, rest in zip(parts[1::2], parts[2::2], strict=True):
        out.append("\\\\" if sign == "\\" else f"\\g<{sign}>")
        out.append(rest.replace("\\", "\\\\"))
    return "".join(out)


def _searched(found: re.Pattern[str], item: bytes) -> str:
    """A text to look for an expression in.

    Raises:
        GraphError: Python and RE2 take other letters for the same in it.
    """
    string = text(item)
    if found.flags & re.ASCII == 0 and _ODD_CASE.search(string):
        rule = "letters without a case of their own, where case is ignored"
        raise GraphError(f"{rule}: {string[:80]!r}")
    return string


def _replaced(x: Any, pattern: bytes, rewrite: bytes, is_global: bool) -> Any:
    found, new = expression(pattern), _rewrite(rewrite)

    def replace(item: bytes) -> bytes:
        string, parts, end = _searched(found, item), list[str](), 0
        for match in found.finditer(string):
            if match.end() == end and match.start() == end and parts:
                continue  # RE2 takes nothing that is empty right behind what it took
            parts += [string[end : match.start()], match.expand(new)]
            end = match.end()
            if not is_global:
                break
        return data_of("".join([*parts, string[end:]]))

    try:
        return each(x, replace)
    except re.error as error:
        raise GraphError(f"the text {rewrite!r} to put in place: {error}") from None


@op("RegexReplace", host=True)
def _regex_replace(node: Node, x: Any, pattern: Any, rewrite: Any) -> Any:
    told = strings(pattern).item(), strings(rewrite).item()
    return _replaced(x, *told, bool(node.get("replace_global", True)))


@op("StaticRegexReplace", host=True)
def _static_regex_replace(node: Node, x: Any) -> Any:
    is_global = bool(node.get("replace_global", True))
    return _replaced(x, node["pattern"], node["rewrite"], is_global)


@op("RegexFullMatch", "StaticRegexFullMatch", host=True)
def _full_match(node: Node, x: Any, pattern: Any = None) -> Any:
    found = expression(node["pattern"] if pattern is None else strings(pattern).item())
    array = strings(x)
    holds = [found.fullmatch(_searched(found, item)) is not None for item in array.flat]
    return np.asarray(holds, bool).reshape(array.shape)


# --- splitting ------------------------------------------------------------------------------------


def sparse_of(rows: Sequence[Sequence[bytes]]) -> tuple[Any, Any, Any]:
    """Rows of strings as a sparse tensor: indices, values, shape."""
    indices = [(i, j) for i, row in enumerate(rows) for j in range(len(row))]
    widest = max(map(len, rows), default=0)
    return (
        np.asarray(indices, np.int64).reshape(-1, 2),
        of_bytes([item for row in rows for item in row]),
        np.asarray([len(rows), widest], np.int64),
    )


@op("StringSplitV2", host=True)
def _split(node: Node, x: Any, separator: Any) -> Any:
    by, most = strings(separator).item(), int(node.get("maxsplit", -1))
    if by:
        return sparse_of([item.split(by, most) for item in strings(x).ravel()])
    return sparse_of([item.split(None, most) for item in strings(x).ravel()])


@op("StringSplit", host=True)
def _old_split(node: Node, x: Any, delimiters: Any) -> Any:
    signs, skips = strings(delimiters).item(), node.get("skip_empty", True)
    rows: list[list[bytes]] = []
    for item in strings(x).ravel():
        if signs:
            parts: list[Any] = re.split(b"[" + re.escape(signs) + b"]", item)
        else:
            parts = [item[i : i + 1] for i in range(len(item))]
        rows.append([part for part in parts if part] if skips else parts)
    return sparse_of(rows)


@op("StringNGrams", host=True)
def _ngrams(node: Node, data: Any, splits: Any) -> Any:
    widths, separator = node.get("ngram_widths") or [], bytes(node["separator"])
    left, right = bytes(node.get("left_pad") or b""), bytes(node.get("right_pad") or b"")
    items, ends = strings(data).tolist(), np.asarray(splits)
    found: list[bytes] = []
    counts = [0]
    for begin, end in itertools.pairwise(ends):
        row = items[int(begin) : int(end)]
        before = len(found)
        for width in widths:
            pad = width - 1 if node["pad_width"] < 0 else min(int(node["pad_width"]), width - 1)
            padded = [left] * pad + row + [right] * pad
            found += [separator.join(padded[i : i + width]) for i in range(len(padded) - width + 1)]
        if node.get("preserve_short_sequences") and len(found) == before and row:
            pad = max(int(node["pad_width"]), 0)
            found.append(separator.join([left] * pad + row + [right] * pad))
        counts.append(len(found))
    return of_bytes(found), np.asarray(counts, np.asarray(splits).dtype)


# --- numbers --------------------------------------------------------------------------------------


@op("StringToNumber", host=True)
def _to_number(node: Node, x: Any) -> Any:
    array, kind = strings(x), dtype(node["out_type"])
    try:
        values = [int(item) if kind.kind in "iu" else float(item) for item in array.flat]
        return np.asarray(values, kind).reshape(array.shape)
    except (ValueError, OverflowError):
        raise GraphError("a string that is no number") from None


@op("AsString", host=True)
def _as_string(node: Node, x: Any) -> Any:
    array = known(x)
    width, fill = int(node.get("width", -1)), bytes(node.get("fill") or b"").decode()
    precision = int(node.get("precision", -1))
    pads = f"{fill}{width}" if width >= 0 else ""
    points = f".{precision}" if precision >= 0 else ""

    def one(value: Any) -> bytes:
        if isinstance(value, bool):
            return b"true" if value else b"false"
        if isinstance(value, bytes):
            return (f"%{pads}s" % value.decode("utf-8", _ESCAPED)).encode("utf-8", _ESCAPED)
        if isinstance(value, complex):
            sign = "e" if node.get("scientific") else "g" if node.get("shortest") else "f"
            return f"(%{pads}{points}{sign},%{pads}{points}{sign})".encode() % (
                value.real,
                value.imag,
            )
        if isinstance(value, int):
            return (f"%{pads}d" % value).encode()
        sign = "e" if node.get("scientific") else "g" if node.get("shortest") else "f"
        return (f"%{pads}{points}{sign}" % value).encode()

    return of_bytes([one(value) for value in array.ravel().tolist()], array.shape)


@op("StringFormat", host=True)
def _format(node: Node, *values: Any) -> Any:
    parts = bytes(node["template"]).split(bytes(node["placeholder"]))
    if len(parts) != len(values) + 1:
        raise GraphError(f"a template of {len(parts) - 1} places for {len(values)} values")
    edge = int(node.get("summarize", 3))
    told = [shown(np.asarray(value), edge, False).encode() for value in values]
    return of_bytes([b"".join(a + b for a, b in zip(parts, [*told, b""], strict=True))], ())


def shown(array: np.ndarray[Any, Any], edge: int, is_outer: bool = True) -> str:
    """Values as TensorFlow prints them: without commas, each as short as it can be told.

    Args:
        array: The values.
        edge: How many at each end of an axis that is longer than twice as many; -1 for all.
        is_outer: Whether nothing is around: a string alone has no quotes.
    """
    if array.ndim == 0:
        return _one_shown(array[()], is_outer)
    parts = list(array)
    if 0 <= edge and len(parts) > 2 * edge:
        parts = [*parts[:edge], ..., *parts[len(parts) - edge :]]
    told = ["..." if x is ... else shown(np.asarray(x, array.dtype), edge, False) for x in parts]
    between = " " if array.ndim == 1 else "\n" * (array.ndim - 1)
    if array.ndim > 1:
        told = [re.sub(r"\n(?!\n)", "\n ", line) for line in told]
        between += " "
    return f"[{between.join(told)}]"


def _one_shown(value: Any, is_alone: bool) -> str:
    if isinstance(value, bytes | str):
        word = text(value) if isinstance(value, bytes) else value
        return word if is_alone else f'"{word}"'
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, complex | np.complexfloating):
        return f"({_float_shown(value.real)},{_float_shown(value.imag)})"
    return str(int(value)) if isinstance(value, int | np.integer) else _float_shown(value)


def _float_shown(value: Any) -> str:
    """As few digits as give the number back: 6 or 9 of 32 bits, 15 or 17 of 64."""
    kind = np.float64 if np.asarray(value).dtype == np.float64 else np.float32
    short, long = (15, 17) if kind is np.float64 else (6, 9)
    number = float(value)
    brief = f"{number:.{short}g}"
    return brief if kind(brief) == kind(number) or number != number else f"{number:.{long}g}"


# --- hashes ---------------------------------------------------------------------------------------


def _bucket(node: Node, hashes: Any, sizes: tuple[int, ...]) -> Any:
    found = np.asarray(hashes, np.uint64) % np.uint64(node["num_buckets"])
    return found.astype(np.int64).reshape(sizes)


@op("StringToHashBucketFast", host=True)
def _fast_hash(node: Node, x: Any) -> Any:
    array = strings(x)
    return _bucket(node, farm_fingerprint(array.ravel().tolist()), array.shape)


@op("StringToHashBucketStrong", host=True)
def _strong_hash(node: Node, x: Any) -> Any:
    array = strings(x)
    first, second = (int(part) & (1 << 64) - 1 for part in node["key"])
    return _bucket(node, sip_fingerprint(array.ravel().tolist(), (first, second)), array.shape)


@op("Fingerprint", host=True)
def _fingerprint(node: Node, x: Any, method: Any) -> Any:
    if strings(method).item() != b"farmhash64":
        raise GraphError(f"the fingerprint {strings(method).item()!r}")
    array = np.asarray(x)
    if array.dtype == object:
        rows = strings(array).ravel().tolist() if array.ndim == 1 else None
    else:
        rows = [row.tobytes() for row in np.ascontiguousarray(array).reshape(len(array), -1)]
    if rows is None:
        raise GraphError("fingerprints of rows of strings")
    words = np.asarray(farm_fingerprint(rows), "<u8")
    return words.view(np.uint8).reshape(-1, 8)


# --- bytes and letters ----------------------------------------------------------------------------


@op("EncodeBase64", host=True)
def _encode_base64(node: Node, x: Any) -> Any:
    keeps = bool(node.get("pad", False))
    return each(x, lambda item: base64.urlsafe_b64encode(item).rstrip(b"" if keeps else b"="))


@op("DecodeBase64", host=True)
def _decode_base64(node: Node, x: Any) -> Any:
    try:
        return each(x, lambda item: base64.urlsafe_b64decode(item + b"=" * (-len(item) % 4)))
    except ValueError:
        raise GraphError("a string that is no base64") from None


@op("DecodeRaw", host=True)
def _decode_raw(node: Node, x: Any) -> Any:
    array, kind = strings(x), dtype(node["out_type"])
    order = "<" if node.get("little_endian", True) else ">"
    sizes = {len(item) for item in array.flat}
    if len(sizes) > 1 or any(size % kind.itemsize for size in sizes):
        raise GraphError(f"strings of {sorted(sizes)} bytes as {kind}")
    rows = [np.frombuffer(item, kind.newbyteorder(order)).astype(kind) for item in array.flat]
    return np.stack(rows).reshape(*array.shape, -1) if rows else np.zeros((*array.shape, 0), kind)


_ENCODINGS = {
    b"UTF-8": "utf-8", b"UTF-16": "utf-16", b"UTF-16-BE": "utf-16-be", b"UTF-32-BE": "utf-32-be",
    b"US-ASCII": "ascii", b"ISO-8859-1": "latin-1",
    b"UTF16BE": "utf-16-be", b"UTF16LE": "utf-16-le",
}  # fmt: skip


_MARKS = {"utf-16": b"\xff\xfe", "utf-32": b"\xff\xfe\x00\x00"}  # of the lowest byte first


def _encoding(given: bytes) -> str:
    """Python's name of an encoding, by any name that it has: ICU knows as many."""
    name = _ENCODINGS.get(given.upper())
    if name is not None:
        return name
    try:
        found = codecs.lookup(given.decode("ascii"))
    except (LookupError, UnicodeDecodeError):
        raise GraphError(f"the encoding {given!r}") from None
    if not getattr(found, "_is_text_encoding", True):  # base64 and the like
        raise GraphError(f"the encoding {given!r}")
    return found.name


def _letters(node: Node, data: bytes) -> tuple[list[int], list[int]]:
    """Code points, and the byte each begins at."""
    name = _encoding(bytes(node["input_encoding"]))
    begin = 0
    if name in _MARKS:  # the highest byte first, where no mark says otherwise
        mark = _MARKS[name]
        begin = len(mark) if data.startswith((mark, mark[::-1])) else 0
        name += "-le" if data.startswith(mark) else "-be"
    errors, stand_in = (
        bytes(node.get("errors") or b"replace"),
        int(node.get("replacement_char", 65533)),
    )
    points: list[int] = []
    starts: list[int] = []
    if name != "utf-8":
        found = data[begin:].decode(name, "replace" if errors != b"strict" else "strict")
        at = begin
        for letter in found:
            starts.append(at)
            points.append(stand_in if letter == "\ufffd" else ord(letter))
            at += len(letter.encode(name, "replace"))
        return points, starts
    at = 0
    while at < len(data):
        size = (
            1 if data[at] < 0x80 else 2 if data[at] >> 5 == 6 else 3 if data[at] >> 4 == 14 else 4
        )
        try:
            point, step = ord(data[at : at + size].decode()), size
        except (UnicodeDecodeError, TypeError) as error:
            if errors == b"strict":
                raise GraphError("a string that is no text in UTF-8") from None
            step = error.end - error.start if isinstance(error, UnicodeDecodeError) else 1
            if errors == b"ignore":
                at += step
                continue
            point = stand_in
        if node.get("replace_control_characters") and point < 0x20 and point not in (9, 10, 13):
            point = stand_in
        points.append(point)
        starts.append(at)
        at += step
    return points, starts


@op("UnicodeDecode", "UnicodeDecodeWithOffsets", host=True)
def _unicode_decode(node: Node, x: Any) -> Any:
    rows = [_letters(node, item) for item in strings(x).ravel()]
    splits = np.cumsum([0, *(len(points) for points, _ in rows)]).astype(dtype(node["Tsplits"]))
    values = np.asarray([p for points, _ in rows for p in points], np.int32)
    if node.op == "UnicodeDecode":
        return splits, values
    return splits, values, np.asarray([s for _, starts in rows for s in starts], np.int64)


def _written(encoding: bytes) -> str:
    """Python's name of an encoding that texts are written in; TensorFlow writes three."""
    if encoding not in (b"UTF-8", b"UTF-16-BE", b"UTF-32-BE"):
        raise GraphError(f"texts are written as UTF-8, UTF-16-BE or UTF-32-BE, not {encoding!r}")
    return _ENCODINGS[encoding]


@op("UnicodeEncode", host=True)
def _unicode_encode(node: Node, values: Any, splits: Any) -> Any:
    name, stand_in = (
        _written(bytes(node["output_encoding"])),
        int(node.get("replacement_char", 65533)),
    )
    points, ends = np.asarray(values).tolist(), np.asarray(splits).tolist()
    letters = [
        chr(p) if 0 <= p < 0xD800 or 0xDFFF < p < 0x110000 else chr(stand_in) for p in points
    ]
    return of_bytes(["".join(letters[a:b]).encode(name) for a, b in itertools.pairwise(ends)])


@op("UnicodeTranscode", host=True)
def _transcode(node: Node, x: Any) -> Any:
    to = _ENCODINGS[bytes(node["output_encoding"])]
    return each(x, lambda item: "".join(map(chr, _letters(node, item)[0])).encode(to, "replace"))


@op("UnsortedSegmentJoin", host=True)
def _segment_join(node: Node, x: Any, ids: Any, count: Any) -> Any:
    separator = bytes(node.get("separator") or b"")
    rows: list[list[bytes]] = [[] for _ in range(int(np.asarray(count)))]
    for item, at in zip(strings(x).ravel(), np.asarray(ids).ravel().tolist(), strict=True):
        if at >= 0:
            rows[at].append(item)
    return of_bytes([separator.join(row) for row in rows])


# --- of tensorflow_text, which encoders of texts carry --------------------------------------------


@op("CaseFoldUTF8", host=True)
def _case_fold(node: Node, x: Any) -> Any:
    return each(x, lambda item: data_of(unicodedata.normalize("NFKC", text(item).casefold())))


@op("NormalizeUTF8", host=True)
def _normalize(node: Node, x: Any) -> Any:
    form: Any = bytes(node.get("normalization_form") or b"NFKC").decode().upper()
    return each(x, lambda item: data_of(unicodedata.normalize(form, text(item))))
