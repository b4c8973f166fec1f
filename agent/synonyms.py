"""Other words for what a customer said, so that a question meets an article that calls it differently."""

import tomllib
from collections import defaultdict
from pathlib import Path

from agent.words import list_words, stem_word

GROUPS: list[str] = tomllib.loads((Path(__file__).parent / "synonyms.toml").read_text(encoding="utf-8"))["groups"]
BY_STEM: dict[str, set[int]] = defaultdict(set)
for place, group in enumerate(GROUPS):
    for word in group.split():
        BY_STEM[stem_word(word)].add(place)


def list_related(text: str) -> list[tuple[str, str]]:
    """(word of the text, the other words of its groups), for each word that is in a group, in order."""
    related: list[tuple[str, str]] = []
    for word in dict.fromkeys(list_words(text)):
        stem = stem_word(word)
        others = [other for place in sorted(BY_STEM.get(stem, ())) for other in GROUPS[place].split()]
        if others:
            related.append((word, " ".join(other for other in dict.fromkeys(others) if stem_word(other) != stem)))
    return related
