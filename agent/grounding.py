"""Does a reply stand on something: what was cited, what was said, what tools did. Checked without a second model.

The same checks for every model. What they cannot see: a false statement in another language than the article's that has
no number and no name in it, an internal fact in words of its own, and steps in a wrong order.
"""

import re
from collections.abc import Iterator

from agent.check_words import is_content, load_set, speaks_of_it
from agent.coverage import find_ungrounded, find_unknown_labels, find_unknown_names, is_question
from agent.evidence import Evidence, Ground, Problem, ReplyDraft
from agent.fact_words import Fact
from agent.facts import SIZES, list_facts, list_hosts
from agent.language import detect_language
from agent.plans import find_wrong_plans
from agent.polarity import find_contradictions
from agent.promises import find_false_promises
from agent.words import fold, list_words, split_sentences
from db.text import plain_text

__all__ = ["Evidence", "Ground", "Problem", "ReplyDraft", "check_reply", "check_title"]

TEMPLATE_MARKS = re.compile(
    r"\{\{|\}\}|\{%|\{[a-z_]{2,30}\}|\bundefined\b|\bNaN\b|\[object Object\]|\bnull\b|(?<!\w)None(?=[\s.,;:!?]*$)|"
    r"\b(?:Dear|Hello|Hi|Hallo|Bonjour|Hola) None\b|<\/?(?:msg|kb|transcript)\b|\[(?:NAME|INSERT[^\]]*|YOUR [^\]]*)\]",
    re.MULTILINE,
)
MAX_CITED = 3  # articles, of each as many passages as the answer needs
MAX_WHOLE = 2
"""So many passages may be quoted from end to end; more is the help centre, not an answer."""
WHOLE_SHARE = 0.8
LONG_PASSAGE = 4  # sentences; a shorter passage is not worth calling a paste
FIGURES = ("number", "date", "weekday", "rate", "bound")
OWNED_REACH = 2


def check_reply(reply: ReplyDraft, evidence: Evidence) -> tuple[Problem, ...]:
    """Everything that is wrong with a reply, gravest first; an empty tuple lets it out."""
    if not any(letter.isalnum() for letter in reply.body):
        return (Problem("empty", "the reply has no text"),)
    ground = Ground.lay(reply, evidence)
    return (
        *find_internal(reply.body, evidence, ground),
        *find_unknown_citations(reply, evidence),
        *find_pasted(reply, evidence),
        *find_foreign_links(reply.body, evidence),
        *find_template_marks(reply, ground),
        *find_false_promises(reply, evidence, ground),
        *find_unsupported_facts(reply, ground),
        *find_unknown_names(reply, evidence, ground),
        *find_unknown_labels(reply, ground),
        *find_wrong_plans(reply, evidence, ground),
        *find_contradictions(reply, evidence, ground),
        *find_ungrounded(reply, evidence, ground),
        *find_wrong_language(reply, evidence, ground),
        *find_excess(reply, evidence),
    )


def check_title(title: str, evidence: Evidence) -> tuple[Problem, ...]:
    """What is wrong with a ticket's subject, which the customer reads: nothing internal, foreign or promised."""
    draft = ReplyDraft(title, (), "acknowledgement", evidence.language)
    ground = Ground.lay(draft, evidence)
    return (
        *find_internal(title, evidence, ground),
        *find_foreign_links(title, evidence),
        *find_false_promises(draft, evidence, ground),
    )


def find_internal(text: str, evidence: Evidence, ground: Ground) -> Iterator[Problem]:
    public = "\n".join((ground.cited, *evidence.said, evidence.company))
    quoted = evidence.guarded.find_quotation(text, public)
    if quoted is not None:
        yield Problem("internal", f"not for customers: {quoted[:100]}")


def find_unknown_citations(reply: ReplyDraft, evidence: Evidence) -> Iterator[Problem]:
    for handle in reply.citations:
        if handle not in evidence.passages:
            yield Problem("unknown_citation", f"{handle[:20]} is not one of this turn's results")


def find_pasted(reply: ReplyDraft, evidence: Evidence) -> Iterator[Problem]:
    """Everything that was found instead of what was asked."""
    titles = {evidence.passages[handle].partition("\n")[0] for handle in reply.citations if handle in evidence.passages}
    if reply.kind == "answer" and len(titles) > MAX_CITED:
        yield Problem("pasted", f"{len(titles)} articles are cited: answer from the {MAX_CITED} that matter most")
    body = " ".join(fold(plain_text(reply.body)).split())
    whole = [handle for handle in evidence.passages if measure_quoted(evidence.passages[handle], body) >= WHOLE_SHARE]
    if len(whole) > MAX_WHOLE:
        yield Problem("pasted", f"{len(whole)} results are quoted from end to end: say what was asked for")


def measure_quoted(passage: str, folded_body: str) -> float:
    """The share of a passage's sentences that stand in the body word for word; 0 for a short passage."""
    text = plain_text(passage.partition("\n")[2] or passage)
    sentences = [" ".join(fold(sentence).split()) for sentence in split_sentences(text)]
    if len(sentences) < LONG_PASSAGE:
        return 0.0
    return sum(sentence in folded_body for sentence in sentences) / len(sentences)


def find_foreign_links(text: str, evidence: Evidence) -> Iterator[Problem]:
    """Addresses that are not ours. One article that names a host does not make it ours: it may have been planted."""
    allowed = [host.casefold().removeprefix("www.") for host in evidence.allowed_links]
    for written, host in list_hosts(text):
        if not any(host == ours or host.endswith(f".{ours}") for ours in allowed):
            yield Problem("foreign_link", f"{written[:80]} is not an address of ours")


def find_template_marks(reply: ReplyDraft, ground: Ground) -> Iterator[Problem]:
    match = TEMPLATE_MARKS.search(reply.body)
    if match and fold(match.group()) not in fold(ground.cited):
        yield Problem("ungrounded", f"left over from a template: {match.group()[:40]}")


def find_unsupported_facts(reply: ReplyDraft, ground: Ground) -> Iterator[Problem]:
    """Facts that nobody stated, or only the customer, whose word is enough for what is theirs."""
    theirs: set[Fact] = set()
    language = reply.language.split("-")[0].casefold()
    for sentence in split_sentences(reply.body):
        claimed = (fact for fact in list_facts(sentence) if ground.claims(fact))
        theirs |= {fact for fact in claimed if is_theirs(sentence, fact, language) or is_named(sentence, fact, ground)}
    told: set[str] = set()
    same_language = language == ground.language
    for fact in list_facts(reply.body):
        # An address of ours is checked against the list of hosts and must have been written somewhere as well.
        if ground.supports(fact, same_language=same_language) or fact in theirs or ground.shows(fact, reply.body):
            continue
        if fact.written not in told:
            told.add(fact.written)
            unit = fact.unit if fact.unit not in ("", "any") else fact.kind
            yield Problem("unsupported_claim", f"no cited result says {fact.written[:60]!r} ({unit})")


def is_theirs(sentence: str, fact: Fact, language: str) -> bool:
    """Whether a sentence gives a fact as the customer's: asks about it, says that they said so, or calls it theirs."""
    if is_question(sentence) or speaks_of_it(sentence, language, "telling", "declining"):
        return True
    if fact.kind not in FIGURES or fact.unit not in ("", "any", *SIZES):
        return False
    before = list_words(sentence.partition(fact.written)[0])[-OWNED_REACH:]
    return not load_set("owned", "words").isdisjoint(before)


def is_named(sentence: str, fact: Fact, ground: Ground) -> bool:
    """Whether a bare number belongs to a name the customer gave: "error 413", "Windows 11"."""
    if fact.kind != "number" or fact.unit not in ("", "any"):
        return False
    before = list_words(sentence.partition(fact.written)[0])[-1:]
    if not before or not is_content(before[0]) or before[0].isdigit():
        return False
    named = rf"\b{re.escape(before[0])} {re.escape(fold(fact.written))}(?!\w)"
    return re.search(named, ground.squeezed_claims) is not None


def find_wrong_language(reply: ReplyDraft, evidence: Evidence, ground: Ground) -> Iterator[Problem]:
    """What the reply says in its own words must be in the customer's language; quotations may stay as they are."""
    wanted = evidence.language.split("-")[0]
    if reply.language.split("-")[0].casefold() != wanted:
        yield Problem("wrong_language", f"the customer writes {wanted}, the reply says it is {reply.language[:20]}")
        return
    own = [sentence for sentence in split_sentences(reply.body) if not ground.contains(sentence)]
    spoken = detect_language("\n".join(own) if own else reply.body, wanted)
    if spoken != wanted:
        yield Problem("wrong_language", f"the customer writes {wanted}, the reply is in {spoken}")


def find_excess(reply: ReplyDraft, evidence: Evidence) -> Iterator[Problem]:
    if len(reply.body) > evidence.max_chars:
        yield Problem("too_long", f"{len(reply.body)} characters, {evidence.max_chars} fit the channel")
