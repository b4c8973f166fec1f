"""Which article answers: what differently worded searches agree on, and what the talk is about already."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.asked import corrects, leans_back
from agent.brief import Brief
from agent.extract import list_stems, list_units
from agent.facts import list_facts
from agent.language import find_language
from agent.models.transcript import Found, Searched
from agent.unread import find_last_reply
from agent.words import fold, list_words

MAX_TITLES = 3
RELATED_SCORES = 0.75
"""A third title is offered only when its score is this near to the best one's."""
CLOSE_SCORES = 0.985
"""Two articles whose scores are nearer than this to each other are both likely meant."""
CLOSE_SECTIONS = 0.9
"""Sections of one article whose scores are this near to each other are told apart by their headings."""
NAMED_WORDS = 2
"""A heading of which the question has a single word is not named by it."""
MANY_WORDS = 6
"""Two wordings of fewer words are nearly the same search: that they agree says little."""
NEAR_TOP = 0.8
"""A follow-up stays with the article it follows while that is this near to the first result."""

PLAN_NAMED = re.compile(r"\b([A-Z]\w+) [Pp]lan\b")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the searches of a turn came to."""

    searches: Sequence[Searched]
    """The whole burst, then other wordings of it."""
    parts: Sequence[Searched]
    """One for each question of a burst that holds several."""
    brief: Brief
    picked: str | None
    """The title the customer picked from those we offered."""
    joined: Searched | None = None
    """What is asked and what was asked before as one search, where it leans on that."""

    @property
    def title(self) -> str | None:
        """Of the article that answers; None where it is not sure enough."""
        if self.picked and any(found.title == self.picked for found in self.list_found()):
            return self.picked
        current = self.find_current()
        if current is not None and corrects(self.brief.words) and self.was_quoted_all_over(current):
            return self.find_other(current)
        if current is not None and self.stays_with(current):
            return current
        first = self.searches[0] if self.searches else None
        if first is not None and first.results and first.confidence == "high":
            return None if is_ambiguous(first) else first.results[0].title
        return self.find_agreed()

    @property
    def best(self) -> Searched | None:
        """The search whose results a question back is about."""
        return max(self.searches, key=rank_search, default=None)

    def find_agreed(self) -> str | None:
        """What two wordings of the burst both put first, neither of them finding nothing; with many words it is enough
        that one of them found something. One of them alone, however sure, was wrong too often where the other
        disagreed."""
        if self.brief.unread:  # likely about what we cannot see
            return None
        tops = {s.results[0].title if s.results else "" for s in self.searches}
        if len(self.searches) < 2 or len(tops) != 1:
            return None
        counting = [s for s in self.searches if s.confidence != "none"]
        words = min(len(s.query.split()) for s in self.searches)
        is_enough = len(counting) == len(self.searches) or (bool(counting) and words >= MANY_WORDS)
        return next(iter(tops)) if is_enough else None

    def find_current(self) -> str | None:
        """The title of the article our last word quoted from."""
        said = " ".join(fold(find_last_reply(self.brief)).split())
        for found in self.list_found():
            if any(
                len(unit.text) > 20 and " ".join(fold(unit.text).split()) in said for unit in list_units(found.text)
            ):
                return found.title
        return None

    def stays_with(self, current: str) -> bool:
        """Whether a message goes on about the article we quoted: it leans back, and nothing else is plainly nearer."""
        if not leans_back(self.brief.words):
            return False
        if any(s.results and s.results[0].title == current for s in self.searches):
            return True
        if any(s.confidence == "high" for s in self.searches):
            return False
        return any(
            found.title == current and found.score >= NEAR_TOP * s.results[0].score
            for s in filter(None, (*self.searches, self.joined))
            for found in s.results
        )

    def was_quoted_all_over(self, title: str) -> bool:
        """Whether our last word quoted from every passage found of an article, so that none of it can be meant."""
        said = " ".join(fold(find_last_reply(self.brief)).split())
        return all(
            any(" ".join(fold(unit.text).split()) in said for unit in list_units(found.text))
            for found in self.list_found(title)
        )

    def find_other(self, current: str) -> str | None:
        """The nearest article but the one they did not mean; None where no search had a score that counts."""
        searches = [s for s in (self.joined, *self.searches) if s is not None and s.confidence != "none"]
        return next((found.title for s in searches for found in s.results if found.title != current), None)

    def find_part(self, at: int, main: str) -> str | None:
        """The other article that answers question `at`, found by the whole burst as well or surely; None where the
        main one has to do."""
        part = self.parts[at] if at < len(self.parts) else None
        if part is None or not part.results or part.confidence == "none":
            return None
        first = part.results[0]
        is_likely = part.confidence == "high" or any(f.title == first.title for s in self.searches for f in s.results)
        own = max((found.score for found in part.results if found.title == main), default=0.0)
        return first.title if is_likely and first.title != main and own < NEAR_TOP * first.score else None

    def list_found(self, title: str | None = None) -> list[Found]:
        """All results, those of one article where a title is given, each passage once with its best score."""
        best: dict[str, Found] = {}
        for searched in filter(None, (*self.searches, *self.parts, self.joined)):
            for found in searched.results:
                if title in (None, found.title) and best.get(found.citation, found).score <= found.score:
                    best[found.citation] = found
        return sorted(best.values(), key=lambda found: -found.score)


def list_variants(searched: Searched, plan: str | None) -> list[str]:
    """The titles of articles on the same subject for different plans, where the customer's is not known."""
    if plan or not searched.results:
        return []
    subject, _ = split_plan(searched.results[0].title)
    titles = dict.fromkeys(
        f.title for f in searched.results if split_plan(f.title)[0] & subject and split_plan(f.title)[1]
    )
    return list(titles)[:MAX_TITLES] if searched.results[0].title in titles and len(titles) > 1 else []


def split_plan(title: str) -> tuple[set[str], set[str]]:
    """The stems of a title's subject, and the plans it names, "Free plan" as well, whose name is a common word."""
    plans = {fact.value for fact in list_facts(title) if fact.kind == "plan"}
    plans |= {fold(name) for name in PLAN_NAMED.findall(title)}
    return list_stems(title) - {stem for plan in plans for stem in list_stems(plan)} - {"plan"}, plans


def choose_section(question: str, near: Sequence[Found], title: str, within: float = CLOSE_SECTIONS) -> Found:
    """The section to quote: of those about as near as the nearest, the one whose whole heading or the most of it the
    question names, else the one with the most of its words, else the one without a heading, which is how the article
    begins."""
    best = max(found.score for found in near)
    close = [found for found in near if found.score >= within * best]
    asked = list_stems(question)
    told = asked - list_stems(title)

    def rank(found: Found) -> tuple[bool, int, int, bool]:
        heading = list_stems(found.heading)
        named = len(heading & told)
        words = len(told & list_stems(found.text))
        is_whole = heading <= asked and (len(heading) >= NAMED_WORDS or named > 0)
        return is_whole, named if named >= NAMED_WORDS else 0, words, not heading

    return max(close, key=rank)


def rank_search(searched: Searched) -> tuple[int, float]:
    order = {"high": 2, "low": 1}
    return order.get(searched.confidence, 0), searched.results[0].score if searched.results else 0.0


def is_ambiguous(searched: Searched) -> bool:
    """Whether another article is as near as the first; one in another language says the same again."""
    first = searched.results[0]
    language = find_language(first.text)
    others = (found for found in searched.results[1:] if found.title != first.title)
    rival = next((found for found in others if find_language(found.text) in (None, language)), None)
    return rival is not None and first.score > 0 and rival.score >= CLOSE_SCORES * first.score


def list_titles(searched: Searched) -> list[str]:
    """The articles a question back names: the two nearest, and a third that is about as near."""
    best = {found.title: found.score for found in reversed(searched.results) if found.title}
    ranked = sorted(best, key=lambda title: -best[title])
    least = RELATED_SCORES * searched.results[0].score
    return [title for at, title in enumerate(ranked) if at < 2 or best[title] >= least][:MAX_TITLES]


def names_plan(text: str, titles: Sequence[str]) -> bool:
    """Whether a text says for which of several plans' articles it asks."""
    words = set(list_words(text))
    return any(plan in words for title in titles for plan in split_plan(title)[1])
