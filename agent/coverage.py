"""Statements whose words stand in nothing that was cited, said or done."""

import re
from collections.abc import Iterator

from agent.check_words import (
    COMMON_WORDS,
    TALK_CHARS,
    is_content,
    is_courtesy,
    is_fixed,
    list_content,
    load_everyday,
    load_frequent,
    load_product,
    load_set,
    load_talk,
    load_withheld,
    load_words,
    speaks_of_it,
    weigh_word,
)
from agent.days import MONTHS, WEEKDAYS
from agent.evidence import Evidence, Ground, Problem, ReplyDraft
from agent.glossary import read_gloss
from agent.language import detect_language
from agent.nearness import list_near_stems
from agent.phrases import is_phrase
from agent.promises import is_kept
from agent.words import CJK, fold, list_words, split_sentences, stem_word
from db.text import plain_text

MIN_COVERAGE = 0.5
MIN_WHOLE_COVERAGE = 0.6
FREE_COVERAGE = 0.35
"""What is enough for one sentence of a reply that as a whole stays near to what it cites."""
TALKING = ("acknowledgement", "clarifying_question")
MAX_PLAIN = 2
MAX_STRANGE = 5
"""So many words of its own a sentence may have that names nothing of the product; beyond, it is about something."""
MAX_STRANGE_SHARE = 0.45
"""Of all words of such a sentence: small talk is made mostly of the commonest ones."""
MAX_STRANGE_PAIRS = 12
"""The same for Chinese and Japanese, whose words come as pairs of characters."""
MIN_CLAUSE_COVERAGE = 0.25
COURTESY = 0.8
"""A sentence of an answer that is made so far of the words of courtesies states nothing."""
MIN_CONTENT_WORDS = 3
"""A sentence with fewer is a courtesy, not a statement; its words must be those of one."""
UNSEEN = ("unread_image", "unread_audio", "unread_video", "unread_file")
"""Fixed texts that say what we cannot see or hear."""
RECORD_TOOLS = frozenset(("get_customer_history", "create_ticket"))
CLAUSE = re.compile(r"[,;:–—()]\s*|\s-\s|\s(?:and|und|et|y|e|en|i|ve)\s")
NAME = re.compile(r"(?<![\w@.#/])[^\W\d_]\w*")
CHOSEN = re.compile(r"\b(?i:choose|click|select|press|tap|pick) (?:on )?([A-Z][a-z]+) ([a-z]+)\b")
GENERIC = frozenset(
    ("button", "page", "tab", "menu", "option", "plan", "section", "field", "file", "format", "link", "icon", "list")
)
LINE_MARK = re.compile(r"(?:^|\s)[-•–]$|\d[.)]$")
UNCASED = frozenset(("de",))
"""Languages that write every noun with a capital."""


def find_ungrounded(reply: ReplyDraft, evidence: Evidence, ground: Ground) -> Iterator[Problem]:
    """Statements whose words the evidence does not contain."""
    sentences = [s for s in split_sentences(plain_text(reply.body)) if not is_question(s) and s[-1] not in ":：,"]
    if is_bare_assent(reply, sentences):
        yield Problem("ungrounded", "a bare yes or no: say what is so, and cite what says it")
        return
    if not reply.citations:
        yield from find_uncited(reply, evidence, ground, sentences)
        return
    content = [word for sentence in sentences for word in list_content(sentence)]
    known = list_meant(content, evidence, ground)
    is_close = measure_coverage(content, known, load_everyday(ground.language)) >= MIN_WHOLE_COVERAGE
    least = FREE_COVERAGE if is_close else MIN_COVERAGE
    for sentence in sentences:
        # The words of a translation are not those of its source; its numbers and names were checked all the same.
        if detect_language(sentence, evidence.language) != ground.language or ground.contains(sentence):
            continue
        if not is_covered(sentence, evidence, known, ground.claimed_stems, least):
            yield Problem("ungrounded", f'the cited results do not say: "{sentence[:120]}"')


def list_meant(content: list[str], evidence: Evidence, ground: Ground) -> frozenset[str]:
    """The stems of what is cited or told by tools, and of the reply's words that mean the same in English."""
    known = ground.stems | list_told(evidence, ground)
    if ground.language != "en":
        return known
    cited = dict.fromkeys(list_content(plain_text(ground.cited)))
    unknown = [word for word in content if word[:TALK_CHARS] not in load_everyday("en")]
    return known | list_near_stems(unknown, known, cited)


def is_covered(sentence: str, evidence: Evidence, known: frozenset[str], claimed: frozenset[str], least: float) -> bool:
    """Whether a sentence of an answer stands on what it cites: as a whole, and no clause of it on nothing."""
    content, talk = list_content(sentence), load_talk(evidence.language) | load_everyday(evidence.language)
    frequent = talk | load_frequent(evidence.language)
    if claims_nothing(sentence, evidence.language):
        return True
    if len(content) < MIN_CONTENT_WORDS:
        return measure_coverage(content, known, frequent) >= least
    if speaks_of_it(sentence, evidence.language, "telling", "declining"):
        return measure_coverage(content, known | claimed, frequent | load_withheld(evidence.language)) >= least
    if measure_coverage(content, frozenset(), talk) >= COURTESY or is_plain(content, known, claimed, frequent):
        return True
    clauses = [list_content(clause) for clause in CLAUSE.split(sentence)]
    told = [word for word in content if stem_word(word) in known or word[:TALK_CHARS] not in talk]
    return measure_coverage(told, known) >= least and all(
        measure_coverage(clause, known, frequent) >= MIN_CLAUSE_COVERAGE for clause in clauses if len(clause) > 1
    )


def is_plain(content: list[str], known: frozenset[str], claimed: frozenset[str], talk: frozenset[str]) -> bool:
    """Whether a sentence brings next to nothing of its own: a word or two, at most one of them not the customer's,
    and none that names what a company sells or decides."""
    stems = {stem_word(word) for word in content if word[:TALK_CHARS] not in talk} - known
    return len(stems) <= MAX_PLAIN and len(stems - claimed) <= 1 and stems.isdisjoint(load_product())


def claims_nothing(sentence: str, language: str) -> bool:
    """Whether a sentence is a courtesy, an offer, a yes or no, one of our fixed texts, or what we cannot see."""
    is_assent = load_set("assent", "words").issuperset(list_words(sentence))
    return is_assent or is_unseen(sentence) or is_fixed(sentence) or is_courtesy(sentence, language)


def find_uncited(reply: ReplyDraft, evidence: Evidence, ground: Ground, sentences: list[str]) -> Iterator[Problem]:
    """Without a citation a reply is a courtesy, a question, a refusal, or what a tool told of this customer."""
    language = reply.language.split("-")[0].casefold()
    talk = load_talk(language)
    told = list_company(evidence.company) | list_told(evidence, ground)
    for sentence in sentences:
        if claims_nothing(sentence, language) or is_kept(sentence, reply, evidence):
            continue
        if reply.kind == "clarifying_question" and speaks_of_it(sentence, language, "requesting"):
            continue
        if reply.kind in TALKING and names_nothing(sentence, language, ground.claimed_stems):
            continue
        allowed, words = told, talk
        if reply.kind != "answer" and speaks_of_it(sentence, language, "telling", "declining"):
            allowed, words = told | ground.claimed_stems, talk | load_withheld(language)
        if measure_coverage(list_content(sentence), allowed, words) < MIN_COVERAGE:
            yield Problem("ungrounded", f'an answer needs a citation: "{sentence[:120]}"')
            return


def names_nothing(sentence: str, language: str, claimed: frozenset[str]) -> bool:
    """Whether a sentence of a reply that answers nothing is short talk, names nothing of a product, and was not
    dictated: a rare word of the customer's is theirs."""
    talk = load_talk(language) | load_everyday(language)
    strange = [word for word in list_content(sentence) if word[:TALK_CHARS] not in talk]
    english = sentence if language == "en" else read_gloss(sentence, language).english
    is_product = not load_product().isdisjoint(stem_word(word) for word in list_words(english))
    is_dictated = not claimed.isdisjoint(stem_word(word) for word in strange)
    return (
        not is_product
        and not is_dictated
        and len(strange) <= (MAX_STRANGE_PAIRS if CJK.search(sentence) else MAX_STRANGE)
    )


def list_told(evidence: Evidence, ground: Ground) -> frozenset[str]:
    """What tools told of this customer."""
    return frozenset() if evidence.done.isdisjoint(RECORD_TOOLS) else ground.spoken_stems


def list_company(company: str) -> frozenset[str]:
    return frozenset(stem_word(word) for word in list_words(company))


def is_question(sentence: str) -> bool:
    return sentence.endswith(("?", "？", "؟"))


def is_unseen(sentence: str) -> bool:
    """That we cannot see a picture needs no evidence."""
    return any(is_phrase(key, sentence) for key in UNSEEN)


def is_bare_assent(reply: ReplyDraft, sentences: list[str]) -> bool:
    """Yes or no to whatever was asked, and nothing more."""
    words = [word for sentence in sentences for word in list_words(sentence)]
    return bool(words) and not is_question(reply.body.strip()) and load_set("assent", "words").issuperset(words)


def measure_coverage(content: list[str], stems: frozenset[str], talk: frozenset[str] = frozenset()) -> float:
    """The share of content words found among `stems`, or by their beginnings in `talk`; longer words weigh more."""
    total = sum(weigh_word(word) for word in content)
    found = sum(weigh_word(word) for word in content if stem_word(word) in stems or word[:TALK_CHARS] in talk)
    return found / total if total else 1.0


def find_unknown_names(reply: ReplyDraft, evidence: Evidence, ground: Ground) -> Iterator[Problem]:
    """Products, formats, buttons and people that nothing cited names. One the customer named may be asked about,
    repeated as theirs or declined, but not affirmed."""
    language = reply.language.split("-")[0].casefold()
    plans = (*evidence.guarded.plans, evidence.plan or "")
    known = ground.stems | ground.spoken_stems | {stem_word(fold(plan)) for plan in plans} | list_day_names(ground)
    for sentence in split_sentences(plain_text(reply.body)):
        if ground.contains(sentence) or is_fixed(sentence):
            continue
        is_loose = is_question(sentence) or speaks_of_it(sentence, language, "telling", "declining")
        allowed = known | ground.claimed_stems if is_loose else known
        for name in list_proper_names(sentence, language):
            if not is_known_name(name, allowed, language):
                yield Problem("unsupported_claim", f"no cited result names {name[:60]!r}")
                return


def find_unknown_labels(reply: ReplyDraft, ground: Ground) -> Iterator[Problem]:
    """What one is told to choose, though nothing cited has those two words side by side."""
    if not reply.citations:
        return
    for match in CHOSEN.finditer(plain_text(reply.body)):
        first, second = map(fold, match.groups())
        is_plain_word = second[:TALK_CHARS] in load_everyday("en") or not is_content(second) or second in GENERIC
        if is_plain_word or (ground.language != reply.language and stem_word(second) not in ground.stems):
            continue
        if f"{first} {second}" not in ground.squeezed:
            yield Problem("unsupported_claim", f"no cited result has {match.group(1)} {match.group(2)} to choose")


def list_proper_names(sentence: str, language: str) -> list[str]:
    """Words written as names: in capitals, with one inside, or with a first one where no sentence begins."""
    names = []
    for match in NAME.finditer(sentence):
        word, before = match.group(), sentence[: match.start()].rstrip(" \"'“”«»„*(")
        is_odd = sum(letter.isupper() for letter in word) > 1
        is_first = not before or before[-1] in ".!?¡¿:;…>→)" or LINE_MARK.search(before) is not None
        if is_odd or (word[0].isupper() and not is_first and language not in UNCASED):
            names.append(word)
    return names


def is_known_name(name: str, stems: frozenset[str], language: str = "en") -> bool:
    """Whether a name stands among `stems`, itself, as another name for it, or as its English word."""
    common = load_set("names", "common") | COMMON_WORDS
    return all(
        word in common or stem_word(word) in stems or has_alias(word, stems) or is_translated(word, stems, language)
        for word in list_words(name)
    )


def list_day_names(ground: Ground) -> frozenset[str]:
    """Stems of all weekdays, whose facts are checked elsewhere, and of months that are dated or the customer's."""
    dated = {value.split("-")[0] for kind, value, _ in ground.facts if kind == "date"}
    months = {name for name, month in MONTHS.items() if str(month) in dated or stem_word(name) in ground.claimed_stems}
    return frozenset(stem_word(name) for name in (*WEEKDAYS, *months))


def is_translated(word: str, stems: frozenset[str], language: str) -> bool:
    english = list_words(read_gloss(word, language).english)
    return any(other != word and stem_word(other) in stems for other in english)


def has_alias(word: str, stems: frozenset[str]) -> bool:
    groups = ({fold(name), *fold(others).split()} for name, others in load_words()["aliases"].items())
    return any(word in group and any(stem_word(other) in stems for other in group) for group in groups)
