"""Text made comparable: folded letters, words, sentences and short stems, the same for every check in this room."""

import re
import unicodedata

MARKS = re.compile("[\u0300-\u036f\u064b-\u0655\u0640\u200b-\u200f\u2060\ufeff]")
LOOKALIKES = str.maketrans(
    {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ى": "ي", "ة": "ه"}
    | dict.fromkeys("’‘`´", "'")
    | dict.fromkeys("“”„", '"')
    | dict.fromkeys("‐‑", "-")
    | dict.fromkeys("\u00a0\u202f\u2009", " ")
)
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
SENTENCE_END = re.compile(r"(?<=[.!?…])(?<!\.\.\.)\s+|(?<=\.\.\.)\s+(?=[A-Z])|(?<=[.!?…][\"')\]”»])\s+|(?<=[。！？])")
LIST_MARK = re.compile(r"\s*(?:\d{1,2}[.)]|[-*•])\s+")
SUFFIXES = re.compile(r"(?<=....)(?:ations?|ments?|ings?|ies|ied|ers|ed|es|en|er|s|e|y)$")
STEM_CHARS = 9
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def fold(text: str) -> str:
    """Lower case without accents, so that "Rückerstattung" and "RUCKERSTATTUNG" compare equal."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", MARKS.sub("", decomposed)).translate(LOOKALIKES)


def list_words(text: str) -> list[str]:
    """The folded words of a text, in order; Chinese and Japanese runs come as pairs of characters."""
    words: list[str] = []
    for word in WORD.findall(fold(text)):
        if CJK.search(word) and len(word) > 2:
            words.extend(word[at : at + 2] for at in range(len(word) - 1))
        else:
            words.append(word)
    return words


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, in order, none empty; a line ends one, and a list mark stays with its sentence."""
    sentences: list[str] = []
    for line in text.splitlines():
        mark = LIST_MARK.match(line)
        start = mark.end() if mark else 0
        first, *rest = SENTENCE_END.split(line[start:])
        sentences += [line[:start] + first, *rest]
    return [sentence.strip() for sentence in sentences if sentence and sentence.strip()]


def stem_word(word: str) -> str:
    """A crude common beginning of the forms of a word: "exporting", "exports" and "exported" give one stem."""
    return word if word.isdigit() else SUFFIXES.sub("", word)[:STEM_CHARS]
