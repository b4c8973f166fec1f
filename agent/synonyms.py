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


def list_synonyms(text: str) -> str:
    """The words of every group that shares a word with the text, each group once; empty when none does."""
    groups = {place for word in list_words(text) for place in BY_STEM.get(stem_word(word), ())}
    return " ".join(GROUPS[place] for place in sorted(groups))
