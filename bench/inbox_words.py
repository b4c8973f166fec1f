"""What the customers of the bench write: cuts of our articles and examples, so that words are as frequent as there."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SHORTEST, LONGEST = 40, 385  # characters; some get a number of their own behind it


@dataclass(frozen=True, slots=True)
class Searched:
    """Words to search for, by how often they are said."""

    common: str
    """In more cuts than any other word."""
    hundredth: str
    """In about one of a hundred."""
    thousandth: str
    phrase: str
    """The three words that follow each other most often."""


def cut_texts(count: int, seed: int) -> list[str]:
    """So many pieces of 40 to 385 characters, each of whole words that follow each other in our own articles."""
    chance = random.Random(seed)
    words = read_words()
    return [cut(words, chance.randrange(len(words)), chance.randint(SHORTEST, LONGEST)) for _ in range(count)]


def read_words() -> list[str]:
    """All words of the sample company's articles and of the questions that the agent learns from."""
    articles = [path.read_text() for path in sorted((ROOT / "app" / "sample_company").glob("*.md"))]
    lines = (ROOT / "db" / "examples.jsonl").read_text().splitlines()
    return " ".join([*articles, *(json.loads(line)["text"] for line in lines)]).split()


def cut(words: Sequence[str], start: int, length: int) -> str:
    """Whole words from `start` on, at most `length` characters; from the beginning where too little is left."""
    text = " ".join(words[start : start + length])[:length]  # a word has a character at least
    whole = text.rpartition(" ")[0]
    return whole if len(whole) >= SHORTEST else cut(words, 0, max(length, 2 * SHORTEST))


def choose_searched(texts: Sequence[str]) -> Searched:
    """From how many of the texts each word is in; only plain words, which every search reads alike."""
    found = Counter(word for text in texts for word in {word for word in text.lower().split() if is_plain(word)})

    def nearest(share: float) -> str:
        return min(found, key=lambda word: (abs(found[word] - share * len(texts)), word))

    return Searched(nearest(1), nearest(0.01), nearest(0.001), find_phrase(texts))


def find_phrase(texts: Sequence[str]) -> str:
    found: Counter[str] = Counter()
    for words in (text.lower().split() for text in texts):
        found.update(
            " ".join(three) for three in zip(words, words[1:], words[2:], strict=False) if all(map(is_plain, three))
        )
    return found.most_common(1)[0][0]


def is_plain(word: str) -> bool:
    return word.isascii() and word.isalpha()
