"""A customer's words made into a search: greeting, quoted mail, signature and personal data left out."""

import re
from collections.abc import Sequence

from agent.facts import EMAIL, LINK
from agent.language import WORDS
from agent.words import fold, list_words, split_sentences

MAX_WORDS = 20
MAX_KEYWORDS = 10
PERSONAL = re.compile(r"<[A-Z]+_\d+>|\+?\d[\d\s().-]{7,}\d|\b[A-Z]{2}\d{2}[A-Z0-9 ]{11,30}\b")
QUOTED_LINE = re.compile(r"^\s*(?:>|On .+ wrote:|Am .+ schrieb.*:|Le .+ a écrit.*:|El .+ escribió:|-{2,}\s*$|_{5,})")
GREETING = re.compile(
    r"^(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|hallo|guten (?:tag|morgen|abend)|bonjour|bonsoir|hola"
    r"|buenos dias|buenas tardes|ola|bom dia|boa tarde|ciao|salve|buongiorno|goedemorgen|goedemiddag|dzien dobry"
    r"|merhaba)\b[^.!?\n]{0,25}[,!.]?$"
)
COURTESY = re.compile(
    r"^(?:thanks?|thank you|many thanks|best|kind|warm|regards|cheers|sincerely|danke|vielen dank|mit freundlichen"
    r"|viele grusse|merci|cordialement|gracias|saludos|obrigad[oa]|grazie|cordiali|bedankt|met vriendelijke|groet)"
    r"\b.{0,30}$"
)
COMMON_WORDS = frozenset(word for words in WORDS.values() for word in words)
ORDINALS = (
    "1|first|erste\\w*|premi\\w+|primer\\w*|primeir\\w+|prim[oa]|eerste",
    "2|second|zweite\\w*|deuxieme|segund\\w+|second[oa]|tweede",
    "3|third|dritte\\w*|troisieme|tercer\\w*|terceir\\w+|terz[oa]|derde",
)
LISTED = re.compile(r"^\s*([1-3])\.\s+(.+?)\s*$", re.MULTILINE)
SHORT_PICK = 6
ASKS_FIT = re.compile(
    r"\b(?:app|version|client|program|software|integrat\w*|plugin|connect\w*|support\w*|work with|sync\w*|complian\w*"
    r"|certif\w*|compatib\w*|available|verfügbar|Programm|verbind\w*|disponible|disponibile)\b",
    re.IGNORECASE,
)
NAME = re.compile(r"(?<=[a-z,] )[A-Z][A-Za-z0-9+]{2,}\b|\b[A-Z]{3,}\b")
"""A capital inside a sentence, or an abbreviation."""
CALENDAR = re.compile(
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|easter|christmas)"
)
"""Written with a capital, and never what something is to fit together with."""


def make_query(text: str, subject: str = "") -> str:
    """At most 20 words of what the customer asks: the questions first where there is more. "" when nothing is left."""
    sentences = split_sentences(clean_text(text))
    kept = [s for s in sentences if not GREETING.match(fold(s)) and not COURTESY.match(fold(s))]
    if subject and len(" ".join(kept).split()) < 4:
        kept.insert(0, subject)
    if len(" ".join(kept).split()) > MAX_WORDS:
        kept.sort(key=lambda sentence: not sentence.endswith(("?", "？")))
    return " ".join(" ".join(kept).split()[:MAX_WORDS])


def list_keywords(text: str) -> str:
    """The telling words of a text, each once, in order; at most ten."""
    words = [w for w in list_words(clean_text(text)) if w not in COMMON_WORDS and len(w) > 1]
    return " ".join(list(dict.fromkeys(words))[:MAX_KEYWORDS])


def clean_text(text: str) -> str:
    lines = [line for line in text.splitlines() if not QUOTED_LINE.match(line)]
    return PERSONAL.sub(" ", EMAIL.sub(" ", LINK.sub(" ", "\n".join(lines) or text)))


def choose_title(text: str, offered: str) -> str | None:
    """Which of the numbered titles in `offered` a short answer picks, by number or by words; None when it does not."""
    titles: list[str] = [match.group(2) for match in LISTED.finditer(offered)]
    words = list_words(text)
    if not titles or len(words) > SHORT_PICK:
        return None
    for ordinal, title in zip(ORDINALS, titles, strict=False):
        if any(re.fullmatch(ordinal, word) for word in words):
            return title
    shared = [len(set(list_words(title)) & set(words) - COMMON_WORDS) for title in titles]
    return titles[shared.index(max(shared))] if max(shared) and shared.count(max(shared)) == 1 else None


def find_unknown_names(text: str, known: Sequence[str]) -> list[str]:
    """Names that a question about fitting together ("is there an app for ...", "does it work with ...") is about and
    that stand in none of the `known` texts: then an article about something near is no answer."""
    if not ASKS_FIT.search(text):
        return []
    ground = fold("\n".join(known))
    names = [fold(name) for name in NAME.findall(text)]
    return [name for name in names if name not in ground and not CALENDAR.fullmatch(name)]
