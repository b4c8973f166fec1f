"""Facts of one plan told of another: each number is bound to the plan it stands beside."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.check_words import list_content, load_set, weigh_word
from agent.evidence import Evidence, Ground, Problem, ReplyDraft
from agent.fact_words import Fact
from agent.facts import LIST_MARK, list_names, locate_numbers
from agent.words import fold, list_words, split_sentences, stem_word
from db.text import plain_text

GENERAL = ""
"""What holds for every plan."""
FORWARD = re.compile(
    r"[^,;.:()\d]{0,45}?(?:\(|\b(?:on|for|in|with|under|auf|bei|im|mit|für|beim|pour|sur|avec|en|dans|con|para|no|na|em"
    r"|com|nel|sul|per|met|op|bij|voor|w|dla)\b)\s*(?:the |den |dem |der |das |le |la |el |o |il |het |de |l'|plan )*"
)
"""What may stand between a number and the plan it belongs to, where the plan comes after it."""
JOINT = re.compile(
    r"\s*(?:plans?\s*)?(?:,|and|or|und|oder|et|ou|y|o|e|en|of|&|/)+\s*(?:the |den |le |la |el )?", re.IGNORECASE
)
APART = re.compile(
    r"[;.]|\),|\b(?:when|after|until|while|if|because|once|wenn|nachdem|sobald|weil|quand|lorsque|après|cuando|después"
    r"|porque|quando|depois|dopo|wanneer|nadat|totdat|gdy)\b"
)
"""Between a plan and a number behind it: the number is about something else."""
DENIED = 18  # characters before a plan's name in which a "not" takes it out of the statement
INSTEAD = re.compile(
    r"\b(?:instead of|rather than|unlike|statt|anders als|au lieu de|en lugar de|em vez de|invece di) ?$"
)
PLAN_NAME = re.compile(r"(?<![A-Za-z])(?:[A-Z][A-Za-z]+|[a-z]+(?= (?:plan|workspace|tier)\b))")
LEFT = re.compile(r"\b(?:from|von|vom|de|du|da|dal|van) (?:the )?$")
ARRIVING = re.compile(r" (?:plan )?(?:to|up to|zu|auf|a|à|para|naar|vers) ")
"""Around the plan one moves away from, of which nothing is said."""
DENYING = ("en", "de", "fr", "es", "pt", "it", "nl", "pl")
EVERY = re.compile(
    r"\b(?:every|each|all|any) plans?\b|\bevery workspace\b"
    r"|\bjede[mnrs]? (?:tarif|plan)|\balle[nr]? (?:tarife|plane)"
    r"|\btous les (?:forfaits|plans)|\btodos los planes|\btodos os planos|\btutti i piani|\belke? (?:plan|abonnement)"
)
LACKING = re.compile(
    r"n't\b|\b(?:not|no|only|needs?|requires?|upgrad\w*|mov(?:e|es|ing) (?:up )?to|switch\w* to|would|unless|without"
    r"|back|except|instead|unlike|than|kein\w*|nicht|nur|pas|ne|seulement|solo|sin|nao|apenas|non|niet|geen|alleen)\b"
)
"""Beside a plan's name: what it lacks, or what one would have with another, is no claim that it has something."""
MISSING = re.compile(r"n't\b|\b(?:not|no|nicht|kein\w*|pas|non|nao|niet|geen)\b")
HAVING = re.compile(
    r"\b(?:includ\w*|part of|availab\w*|belongs?|comes with|upwards?|enthalten|verfugbar|teil|gehort|compris\w*"
    r"|inclus\w*|disponib\w*|disponivel|incluid\w*|incluso|inclusa|compreso|compresa|inbegrepen|beschikbaar"
    r"|onderdeel)\b"
)
"""Says outright what a plan has: no sentence that names no plan says so."""
APART_CLAUSE = re.compile(
    r"[:—–]\s|;\s(?=[^;]*\b[A-Z])"
    r"|,\s(?=(?:and|but|or|while|whereas|if|when|so|though|because|aber|und|wenn|mais|et|si|pero|y|ma|e|maar|en)\s)"
)
"""Where a clause ends that may name another plan than the next."""
MIN_TOLD = 3  # words
NEAR = 0.3
SAME = 0.5
"""The share of a sentence's words that a cited one must have to be about the same."""


@dataclass(frozen=True, slots=True)
class Named:
    """Plans named together in a sentence, and where."""

    start: int
    end: int
    plans: frozenset[str]


def find_wrong_plans(reply: ReplyDraft, evidence: Evidence, ground: Ground) -> Iterator[Problem]:
    """What the article of another plan says, told as this one's."""
    if reply.kind != "answer" or not reply.citations:
        return
    names = list_plan_names(reply, evidence, ground)
    body = plain_text(reply.body)
    named = frozenset(
        plan for sentence in split_sentences(body) for one in find_plans(sentence, names) for plan in one.plans
    )
    yield from find_foreign_articles(reply, evidence, named)
    if names:
        passages = {h: evidence.passages[h] for h in reply.citations if h in evidence.passages}
        yield from find_misplaced_numbers(body, passages, evidence, names, named)
        yield from find_misplaced_features(body, passages, evidence, names)


def list_plan_names(reply: ReplyDraft, evidence: Evidence, ground: Ground) -> frozenset[str]:
    """All plans the turn knows of, folded."""
    filed = {fold(plan) for plan in (*evidence.guarded.plans, *evidence.passage_plans.values()) if plan}
    written = {fact.value for fact in list_names(f"{ground.cited}\n{reply.body}") if fact.kind == "plan"}
    return frozenset((filed or written) | ({fold(evidence.plan)} if evidence.plan else set()))


def find_foreign_articles(reply: ReplyDraft, evidence: Evidence, named: frozenset[str]) -> Iterator[Problem]:
    """Cited articles of another plan than the customer's, which the reply does not even name."""
    for handle in reply.citations:
        plan = fold(evidence.passage_plans.get(handle, ""))
        if plan and evidence.plan and plan != fold(evidence.plan) and plan not in named:
            yield Problem("wrong_plan", f"{handle} holds for the {plan} plan, the customer has {evidence.plan}")
            return


def find_plans(sentence: str, names: frozenset[str]) -> list[Named]:
    """The plans a sentence speaks of, those joined by "and" together. A name is written with a capital."""
    found: list[Named] = []
    for match in PLAN_NAME.finditer(sentence):
        name = fold(match.group())
        is_left = LEFT.search(sentence[: match.start()]) and ARRIVING.match(sentence[match.end() :])
        if name not in names or is_left or is_denied(sentence[: match.start()]):
            continue
        if found and JOINT.fullmatch(sentence[found[-1].end : match.start()]):
            found[-1] = Named(found[-1].start, match.end(), found[-1].plans | {name})
        else:
            found.append(Named(match.start(), match.end(), frozenset({name})))
    return found


def is_denied(before: str) -> bool:
    words = list_words(before[-DENIED:])
    is_negated = any(word.endswith("n't") or word in load_set("negations", code) for word in words for code in DENYING)
    return is_negated or INSTEAD.search(fold(before[-2 * DENIED :])) is not None


def bind_numbers(text: str, names: frozenset[str], base: frozenset[str]) -> Iterator[tuple[Fact, frozenset[str]]]:
    """Each number of a text as written, with the plans it is said of: those beside it, else those of the line that
    introduces it, else `base`."""
    introduced = base
    for line in text.splitlines():
        item = LIST_MARK.match(line)
        held: frozenset[str] = frozenset()
        for sentence in split_sentences(LIST_MARK.sub("", line)):
            plans = find_plans(sentence, names)
            if item and plans and not held:  # "- Pro: $9. Up to 100 members."
                held = plans[0].plans
            for number in locate_numbers(sentence):
                bound = choose_plans(sentence, number.start, number.end, plans) or held or introduced
                yield number.fact, bound
        if line.strip().endswith(":"):
            introduced = frozenset().union(*(one.plans for one in find_plans(line, names))) or base
        elif not line.strip():
            introduced = base


def choose_plans(sentence: str, start: int, end: int, plans: list[Named]) -> frozenset[str]:
    after = next((one for one in plans if one.start >= end), None)
    before = next((one for one in reversed(plans) if one.end <= start), None)
    if after and FORWARD.fullmatch(sentence[end : after.start]):
        return after.plans
    is_apart = before is None or APART.search(sentence[before.end : start]) is not None
    return frozenset() if is_apart or before is None else before.plans


def find_misplaced_numbers(
    body: str, passages: Mapping[str, str], evidence: Evidence, names: frozenset[str], named: frozenset[str]
) -> Iterator[Problem]:
    """Numbers told of a plan that nothing cited says of it. A reply that names no plan speaks of the customer's."""
    known: dict[tuple[str, str], set[str]] = {}
    for handle, text in passages.items():
        base = find_base(handle, text, evidence, names)
        for fact, plans in bind_numbers(plain_text(text), names, base):
            for unit in {fact.unit, ""}:  # a reply may leave the unit out
                known.setdefault((fact.value, unit), set()).update(plans or {GENERAL})
    own = frozenset({fold(evidence.plan)}) if evidence.plan and not named else frozenset()
    for fact, plans in bind_numbers(body, names, own):
        places = known.get((fact.value, "" if fact.unit == "any" else fact.unit), {GENERAL})
        if plans and GENERAL not in places and places.isdisjoint(plans):
            told = f"{fact.written} is said of {', '.join(sorted(places))}, not of {', '.join(sorted(plans))}"
            yield Problem("wrong_plan", told)


def find_base(handle: str, text: str, evidence: Evidence, names: frozenset[str]) -> frozenset[str]:
    """The plan a whole article holds for: as it is filed, or the only one its title names."""
    if handle in evidence.passage_plans:
        return frozenset({fold(evidence.passage_plans[handle])})
    title = find_plans(text.split("\n", 1)[0], names)
    return title[0].plans if len(title) == 1 and len(title[0].plans) == 1 else frozenset()


def find_misplaced_features(
    body: str, passages: Mapping[str, str], evidence: Evidence, names: frozenset[str]
) -> Iterator[Problem]:
    """Clauses that name a plan which no cited sentence about the same thing names, or nothing cited at all."""
    cited = [
        read_row(sentence, find_base(handle, text, evidence, names), names)
        for handle, text in passages.items()
        for sentence in split_sentences(plain_text(text))
    ]
    rows = [row for row in cited if row.plans]
    told = frozenset().union(*(row.plans for row in rows))
    for sentence in split_sentences(body):
        for clause in filter(None, APART_CLAUSE.split(sentence)):
            plans = join_plans(clause, names)
            if len(plans) > 1 and speaks_to(clause):  # "you have Pro, and it is part of Business"
                plans -= {fold(evidence.plan or "")}
            words = weigh_sentence(clause, names)
            about = list_nearest(words, rows)
            is_misplaced = (
                plans
                and about
                and not MISSING.search(fold(clause))
                and any(all(plan not in row.plans for row in about) for plan in plans)
            )
            is_unheard = plans - told and told and not LACKING.search(fold(sentence))
            free = [row for row in cited if row.is_general or not HAVING.search(fold(clause))]
            if is_misplaced or (is_unheard and not any(row.holds_for_all(words) for row in free)):
                yield Problem("wrong_plan", f'the cited results say it of another plan: "{sentence[:120]}"')
                return


@dataclass(frozen=True, slots=True)
class Row:
    """A cited sentence: the stems of what it speaks of, and the plans it holds for."""

    words: frozenset[str]
    plans: frozenset[str]
    is_general: bool
    """Whether it says that it holds for all plans."""

    def is_told_by(self, words: frozenset[str]) -> bool:
        """Whether a longer clause has most of this."""
        return len(self.words) >= MIN_TOLD and share(self.words, words) > SAME

    def holds_for_all(self, words: frozenset[str]) -> bool:
        """Whether this says of all plans, or of none in particular, what a clause of these words says."""
        told = share(words, self.words)
        return not self.plans and (
            told >= SAME or (self.is_general and (told >= NEAR or share(self.words, words) >= SAME))
        )


def read_row(sentence: str, base: frozenset[str], names: frozenset[str]) -> Row:
    plans = join_plans(sentence, names)
    is_general = not plans and EVERY.search(fold(sentence)) is not None
    return Row(weigh_sentence(sentence, names), plans if plans or is_general else base, is_general)


def list_nearest(words: frozenset[str], rows: list[Row]) -> list[Row]:
    """The rows about the same as these words."""
    return [row for row in rows if words and (share(words, row.words) >= SAME or row.is_told_by(words))]


def speaks_to(sentence: str) -> bool:
    """Whether the customer is addressed: their own plan may be named beside another one."""
    return not {
        "you",
        "your",
        "you're",
        "sie",
        "ihr",
        "ihrem",
        "vous",
        "votre",
        "usted",
        "su",
        "voce",
        "seu",
    }.isdisjoint(list_words(sentence))


def join_plans(sentence: str, names: frozenset[str]) -> frozenset[str]:
    return frozenset().union(*(one.plans for one in find_plans(sentence, names)))


def weigh_sentence(sentence: str, names: frozenset[str]) -> frozenset[str]:
    words = [word for word in list_content(sentence) if word not in names and word not in ("plan", "plans")]
    return frozenset(stem_word(word) for word in words)


def share(words: frozenset[str], others: frozenset[str]) -> float:
    total = sum(map(weigh_word, words))
    return sum(map(weigh_word, words & others)) / total if total else 0.0
