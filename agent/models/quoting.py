"""The text of an answer: for every question the section that was meant, quoted in a frame the customer can read."""

import re
from dataclasses import dataclass

from agent.asked import Asked, list_asked, list_situations
from agent.brief import Brief
from agent.extract import Space, extract_answers, list_stems, list_units, quote_best, quote_further
from agent.facts import list_facts
from agent.glossary import gloss
from agent.language import find_language
from agent.models.choice import CLOSE_SECTIONS, Choice, choose_section
from agent.models.transcript import Found
from agent.phrases import say
from agent.unread import say_unseen
from agent.words import fold
from db.passages import SHOWN_CHARS
from db.text import plain_text

MAX_FURTHER = 300  # characters preferred of an article that was quoted before

STEPS = re.compile(r"1[.)] ")


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply made of quotations, and the handles of what it quotes."""

    body: str
    citations: list[str]


@dataclass(frozen=True, slots=True)
class Quoter:
    """Quotes for one turn; `shorter` after a refused reply, with no addresses in it."""

    brief: Brief
    choice: Choice
    shorter: bool

    def write(self, title: str, question: str) -> Answer | None:
        """The answer from this article, and from others that surely answer one of several questions; None when
        nothing of them can be quoted."""
        sections = self.choose_sections(title, question)
        frame = say_unseen(self.brief) + self.say_foreign(next(iter(sections)))
        room = self.brief.limits.preferred_chars // len(sections)
        said: list[str] = []
        cited: list[str] = []
        for passage, asked in sections.items():
            head = name_plan(passage)
            most = self.brief.limits.max_chars - len(frame) - sum(map(len, said)) - len(head) - 2
            body = self.quote(asked, passage, Space(room - len(head), most, links=not self.shorter))
            if body is not None:
                said.append(head + body)
                cited.append(passage.citation)
        body = "\n\n".join(said)
        lead = say("steps", self.brief.assessment.language) + "\n"
        is_bare = STEPS.match(body) and not frame and len(lead) + len(body) <= self.brief.limits.max_chars
        return Answer(frame + (lead if is_bare else "") + body, cited) if said else None

    def choose_sections(self, title: str, question: str) -> dict[Found, list[str]]:
        """The passages to quote, each with the questions it is to answer, in the order they were asked."""
        asked = list_asked(self.brief.words)
        if len(asked) < 2 or self.choice.picked:
            found = self.choice.list_found(title)
            cases = self.find_cases(title)
            # the search was drawn to what they say of their case: what they ask is looked for in all the rest
            rest = [passage for passage in found if passage not in cases] if cases else []
            wanted = self.put_near(question, found[0])
            first = choose_section(wanted, rest or found, title, 0.0 if rest else CLOSE_SECTIONS)
            return {first: [question], **({} if first in cases else cases)}
        sections: dict[Found, list[str]] = {}
        for at, one in enumerate(asked):
            wanted = self.choice.find_part(at, title) or title
            sections.setdefault(self.find_section(one, wanted), []).append(one.telling)
        return sections

    def find_section(self, one: Asked, title: str) -> Found:
        found = self.choice.list_found(title)
        words = list_stems(self.put_near(one.telling, found[0]))
        shared = {f.citation: len(words & list_stems(f"{f.heading} {f.text}")) for f in found}
        most = max(shared.values())
        return next(f for f in found if shared[f.citation] == most) if most else choose_section(one.full, found, title)

    def put_near(self, text: str, passage: Found) -> str:
        """A question with its words in English behind it, where the passage is in another language than it."""
        language = self.brief.assessment.language
        return f"{text} {gloss(text, language)}" if is_foreign(passage, language) else text

    def find_cases(self, title: str) -> dict[Found, list[str]]:
        """The sections of the article whose heading has half of what the customer says of their case."""
        cases: dict[Found, list[str]] = {}
        for sentence in list_situations(self.brief.words):
            stems = list_stems(sentence) - list_stems(title)
            for found in self.choice.list_found(title):
                named = len(stems & list_stems(found.heading))
                if named and 2 * named >= len(stems):
                    cases.setdefault(found, []).append(sentence)
        return cases

    def quote(self, asked: list[str], passage: Found, space: Space) -> str | None:
        asked = [self.put_near(question, passage) for question in asked]
        if self.shorter:
            return quote_best(" ".join(asked), passage.text, space)
        return extract_answers(asked, passage.text, space, is_cut=len(passage.text) >= SHOWN_CHARS)

    def say_foreign(self, passage: Found) -> str:
        """That the article is in another language, where it is; else nothing."""
        language = self.brief.assessment.language
        return say("quoted", language) + "\n" if is_foreign(passage, language) else ""

    def write_further(self, title: str) -> Answer | None:
        """What an article that was quoted before says to a further question: the sentences or the list with its words,
        best what was not said yet; None where there is nothing of the kind."""
        found = self.choice.list_found(title)
        found = [passage for passage in found if passage.score >= CLOSE_SECTIONS * found[0].score]
        said = " ".join(fold(line.text) for line in self.brief.history if line.author == "agent")
        frame = say_unseen(self.brief) + self.say_foreign(found[0])
        limits = self.brief.limits
        space = Space(min(MAX_FURTHER, limits.preferred_chars), limits.max_chars - len(frame), links=not self.shorter)
        asked = [self.put_near(one.telling, found[0]) for one in list_asked(self.brief.words)]
        quoted = [quote_further(question, [f.text for f in found], said, space) for question in asked]
        body = "\n".join(dict.fromkeys(line for part in quoted if part for line in part.split("\n")))
        if not body or len(frame) + len(body) > limits.max_chars:
            return None
        cited = [f.citation for f in found if any(line in plain_text(f.text) for line in body.split("\n"))]
        return Answer(frame + body, cited or [found[0].citation])

    def write_fresh(self, title: str) -> Answer | None:
        """The nearest section of an article of which nothing was said yet; None where there is none."""
        said = " ".join(fold(line.text) for line in self.brief.history if line.author == "agent")
        limits = self.brief.limits
        for passage in self.choice.list_found(title):
            if any(fold(unit.text) in said for unit in list_units(passage.text)):
                continue
            frame = say_unseen(self.brief) + self.say_foreign(passage)
            space = Space(limits.preferred_chars, limits.max_chars - len(frame), links=not self.shorter)
            body = self.quote([self.brief.words], passage, space)
            return Answer(frame + body, [passage.citation]) if body else None
        return None


def is_foreign(passage: Found, language: str) -> bool:
    """Whether a passage is in another language than this."""
    return find_language(f"{passage.title}\n{passage.text}") not in (None, language)


def name_plan(passage: Found) -> str:
    """The title as a line above a passage that holds for one plan and does not say so itself; else nothing."""
    plans = [fact.value for fact in list_facts(passage.title) if fact.kind == "plan"]
    return f"{passage.title}:\n" if any(plan not in fold(passage.text) for plan in plans) else ""
