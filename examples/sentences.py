"""English sentences by a small grammar, for the programs that learn language.

A verb agrees with its subject, not with the noun that stands nearest to it:
"the tall dogs near the house are hungry", "a cat sees two birds behind the tree".
"""

import numpy as np

NOUNS = {
    "cat": "cats", "dog": "dogs", "bird": "birds", "child": "children", "teacher": "teachers",
    "farmer": "farmers", "tree": "trees", "house": "houses", "garden": "gardens", "boat": "boats",
}  # fmt: skip
VERBS = {"sees": "see", "likes": "like", "follows": "follow", "finds": "find", "draws": "draw"}
ADJECTIVES = ("tall", "young", "small", "big", "hungry", "quiet", "red", "green")
PREPOSITIONS = ("near", "behind", "beside", "under")
ONE, MANY = ("a", "the", "this", "every"), ("two", "the", "these", "many")
PLURALS = set(NOUNS.values())


def _noun_phrase(rng: np.random.Generator, is_plural: bool) -> list[str]:
    noun = rng.choice(list(NOUNS))
    adjective = [str(rng.choice(ADJECTIVES))] if rng.random() < 0.4 else []
    article = rng.choice(MANY if is_plural else ONE)
    return [str(article), *adjective, NOUNS[noun] if is_plural else str(noun)]


def sentence(rng: np.random.Generator) -> list[str]:
    """The words of one sentence, 4 to 13 of them."""
    is_plural = rng.random() < 0.5
    words = _noun_phrase(rng, is_plural)
    if rng.random() < 0.6:
        words += [str(rng.choice(PREPOSITIONS)), *_noun_phrase(rng, rng.random() < 0.5)]
    if rng.random() < 0.4:
        return [*words, "are" if is_plural else "is", str(rng.choice(ADJECTIVES))]
    verb = str(rng.choice(list(VERBS)))
    words.append(VERBS[verb] if is_plural else verb)
    words += _noun_phrase(rng, rng.random() < 0.5)
    if rng.random() < 0.3:
        words += [str(rng.choice(PREPOSITIONS)), *_noun_phrase(rng, rng.random() < 0.5)]
    return words


def sentences(count: int, seed: int) -> list[str]:
    """Different sentences, as texts."""
    rng, found = np.random.default_rng(seed), {}
    while len(found) < count:
        found[" ".join(sentence(rng))] = None
    return list(found)


def is_sentence(text: str) -> bool:
    """Whether the grammar could have made it."""
    words = text.split()
    rest, is_plural = _without_noun_phrase(words)
    if is_plural is None:
        return False
    if rest and rest[0] in PREPOSITIONS:
        rest, other = _without_noun_phrase(rest[1:])
        if other is None:
            return False
    if not rest:
        return False
    verb, rest = rest[0], rest[1:]
    if verb in ("is", "are"):
        return is_plural == (verb == "are") and len(rest) == 1 and rest[0] in ADJECTIVES
    if verb not in (VERBS.values() if is_plural else VERBS):
        return False
    rest, other = _without_noun_phrase(rest)
    if other is not None and rest and rest[0] in PREPOSITIONS:
        rest, other = _without_noun_phrase(rest[1:])
    return other is not None and not rest


def _without_noun_phrase(words: list[str]) -> tuple[list[str], bool | None]:
    """What follows a noun phrase, and whether it was plural; None where there was none."""
    rest = words[1:]
    if rest and rest[0] in ADJECTIVES:
        rest = rest[1:]
    if not words or not rest:
        return rest, None
    if words[0] in ONE and rest[0] in NOUNS:
        return rest[1:], False
    if words[0] in MANY and rest[0] in PLURALS:
        return rest[1:], True
    return rest, None
