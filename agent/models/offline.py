"""The model that needs no key: rules, search, and answers quoted from articles. The same question, the same calls."""

import json
from dataclasses import dataclass
from typing import Any

from agent.assess import asks_for_update, says_it_failed
from agent.brief import Brief, Escalation
from agent.extract import Space, extract_answer, list_stems, quote_best
from agent.facts import list_facts
from agent.handoff import PHRASES, REASON_CODES, choose_urgency, quote_burst
from agent.language import find_language
from agent.models.base import ModelFailure, ModelReply, ModelRequest, ToolCall, Usage
from agent.models.transcript import Found, Progress, Searched, read_progress
from agent.passages import SHOWN_CHARS
from agent.phrases import choose_language, is_phrase, say
from agent.queries import choose_title, find_unknown_names, list_keywords, make_query
from agent.unread import find_last_reply, has_asked, needs_person, note_unread, say_unread, say_unseen
from agent.words import fold

MAX_TITLES = 3
RELATED_SCORES = 0.75
"""A third title is offered only when its score is this near to the best one's."""
CLOSE_SCORES = 0.985
"""Two articles whose scores are nearer than this to each other are both likely meant."""
CLOSE_SECTIONS = 0.9
"""Sections of one article whose scores are this near to each other are told apart by their headings."""


class OfflineModel:
    """Takes every step by rule. Text of customers and articles is quoted or counted, never obeyed."""

    name = "offline"

    async def reply(self, request: ModelRequest) -> ModelReply:
        """One tool call. Raises ModelFailure ("malformed") where no tool is left that could end the turn."""
        call = Turn(request.brief, read_progress(request.items), frozenset(t.name for t in request.tools)).decide()
        return ModelReply(self.name, (call,), Usage(0, 0))


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as far as it has come, and the tools that may still be used."""

    brief: Brief
    progress: Progress
    tools: frozenset[str]

    @property
    def text(self) -> str:
        return self.brief.words

    @property
    def language(self) -> str:
        return self.brief.assessment.language

    def decide(self) -> ToolCall:
        """The next call: a person where rules or failures ask for one, then courtesies, then what the search gives."""
        found = self.brief.assessment
        if found.escalations and self.may("escalate_to_human"):
            return self.escalate(found.escalations)
        if len(self.progress.list_errors("send_response")) >= 2:
            return self.hand_over("tool_failure", "a reply was refused twice")
        if self.brief.unread and (found.is_closing or found.is_greeting):
            return self.ask_for_words()
        if found.is_closing:
            return self.send("acknowledgement", "closing", resolves=True)
        if found.is_greeting:
            return self.send("acknowledgement", "greeting")
        return self.follow_up() or self.search() or self.answer()

    def may(self, tool: str) -> bool:
        """Whether a tool is offered and has not failed twice in this turn."""
        return tool in self.tools and len(self.progress.list_errors(tool)) < 2

    # An open matter ----------------------------------------------------------------------------------------------

    def follow_up(self) -> ToolCall | None:
        """Where the customer asks how an open matter stands: look, then say so. None when that is not the question."""
        if not asks_for_update(self.text, self.language) or not (self.brief.open_ticket or self.brief.history):
            return None
        answers = self.progress.list_results("get_customer_history")
        if not answers:
            scope = {"scope": "open_tickets"}
            return self.call("get_customer_history", scope) if self.may("get_customer_history") else None
        tickets = [t for t in answers[-1].get("tickets") or () if isinstance(t, dict) and t.get("ref")]
        named = [t for t in tickets if fold(str(t["ref"])) in fold(self.text) or t["ref"] == self.brief.open_ticket]
        if named or tickets:
            return self.send("acknowledgement", "ticket_open", ref=str((named or tickets)[0]["ref"]))
        return self.hand_over("no_answer", "asks for news of a matter that has no open ticket")

    # Searching ---------------------------------------------------------------------------------------------------

    def search(self) -> ToolCall | None:
        """Up to two searches: the customer's words, then the bare keywords. None when there is enough to go on."""
        searches = self.progress.list_searches()
        if not self.may("search_knowledge_base") or len(self.progress.list_results("search_knowledge_base")) >= 2:
            return None
        query = self.chosen_title or make_query(self.text, self.brief.subject)
        if not searches:
            return self.call("search_knowledge_base", {"query": query, "category": None}) if query else None
        keywords = list_keywords(f"{self.brief.subject} {self.text}")
        if searches[-1].confidence == "high" or not keywords or keywords == searches[-1].query:
            return None
        return self.call("search_knowledge_base", {"query": keywords, "category": None})

    @property
    def last_reply(self) -> str:
        return find_last_reply(self.brief)

    @property
    def chosen_title(self) -> str | None:
        """The article picked from the titles we offered last."""
        return choose_title(self.text, self.last_reply) if is_phrase("clarify", self.last_reply) else None

    # Answering ---------------------------------------------------------------------------------------------------

    def answer(self) -> ToolCall:
        best = max(self.progress.list_searches(), key=rank_search, default=None)
        was_asked = has_asked(self.brief)
        if best is None or best.confidence == "none" or not best.results:
            if best is not None and any(self.frame(found) for found in best.results):
                return self.hand_over("no_answer", "the articles are in another language")
            return (
                self.hand_over("no_answer", "no article found, also after a question back")
                if was_asked
                else self.ask_more()
            )
        if not was_asked and find_unknown_names(self.text, [self.brief.company, *map(str, best.results)]):
            return self.ask_more()
        if best.confidence == "high" and (self.chosen_title or not is_ambiguous(best)):
            return self.quote(best)
        if was_asked:
            return self.hand_over("no_answer", "still unclear after a question back")
        return self.clarify(best)

    def quote(self, searched: Searched) -> ToolCall:
        """The best passage's own words, in a frame of the customer's language where the article has another one."""
        passage, refused = choose_section(self.question, searched), self.progress.list_errors("send_response")
        frame, limits = say_unseen(self.brief) + self.frame(passage) + name_plan(passage), self.brief.limits
        space = Space(limits.preferred_chars - len(frame), limits.max_chars - len(frame), links=not refused)
        body = (
            quote_best(self.question, passage.text, space)
            if refused
            else extract_answer(self.question, passage.text, space, is_cut=len(passage.text) >= SHOWN_CHARS)
        )
        if body is None:
            return self.hand_over("no_answer", f"nothing quotable in {passage.title!r}")
        said = [fold(line.text) for line in self.brief.history if line.author == "agent"]
        if any(fold(body) in earlier for earlier in said):
            # a further question about the same passage is answered by its one paragraph, a complaint by a person
            body = quote_best(self.text, passage.text, space) or ""
            if self.asks_the_same() or any(fold(body) == earlier for earlier in said):
                return self.hand_over("no_answer", "the same answer was given before and did not help")
        return self.respond(f"{frame}{body}", "answer", citations=[passage.citation])

    def asks_the_same(self) -> bool:
        """Whether the customer only repeats what they asked, or says that the answer did not help."""
        earlier = " ".join(line.text for line in self.brief.history if line.author == "customer")
        is_repeated = set(list_keywords(self.text).split()) <= set(list_keywords(earlier).split())
        return is_repeated or says_it_failed(self.text, self.language)

    @property
    def question(self) -> str:
        """The customer's words, with the earlier question where they only pick or complain."""
        earlier = [line.text for line in self.brief.history if line.author == "customer"][-1:]
        words = list_keywords(self.text).split()
        return " ".join([self.chosen_title or "", self.text, *(earlier if len(words) < 3 else ())])

    def frame(self, passage: Found) -> str:
        written = find_language(f"{passage.title}\n{passage.text}")
        return "" if written in (None, self.language) else say("quoted", self.language) + "\n"

    def clarify(self, searched: Searched) -> ToolCall:
        by_title = {found.title: found for found in reversed(searched.results) if found.title}
        ranked = [title for title in dict.fromkeys(found.title for found in searched.results) if title]
        least = RELATED_SCORES * searched.results[0].score
        titles = [t for at, t in enumerate(ranked[:MAX_TITLES]) if at < 2 or by_title[t].score >= least]
        if not titles or self.brief.unread or self.progress.list_errors("send_response"):
            return self.ask_more()
        listed = "\n".join(f"{number}. {title}" for number, title in enumerate(titles, start=1))
        body = say("clarify", self.language, titles=listed)
        return self.respond(body, "clarifying_question", citations=[by_title[title].citation for title in titles])

    def ask_more(self) -> ToolCall:
        """A question back; where something came along that only a person can see, the person."""
        if self.brief.unread:
            return self.hand_over("no_answer", "what they sent is likely what it is about")
        return self.send("clarifying_question", "not_found")

    def ask_for_words(self) -> ToolCall:
        """Where a courtesy came with something unread, and nothing says what it is about."""
        if needs_person(self.brief):
            return self.hand_over("no_answer", "what they sent is what it is about")
        return self.respond(say_unread(self.brief), "clarifying_question")

    # Calls -------------------------------------------------------------------------------------------------------

    def send(self, kind: str, phrase: str, *, resolves: bool = False, **values: str) -> ToolCall:
        return self.respond(say(phrase, self.language, **values), kind, resolves=resolves)

    def respond(self, body: str, kind: str, *, citations: list[str] | None = None, resolves: bool = False) -> ToolCall:
        if not self.may("send_response"):
            return self.hand_over("tool_failure", "no reply could be sent")
        arguments = {
            "body": body,
            "citations": citations or [],
            "kind": kind,
            "resolves": resolves,
            "language": self.language if choose_language("closing", self.language) == self.language else "en",
        }
        return self.call("send_response", arguments)

    def escalate(self, escalations: tuple[Escalation, ...]) -> ToolCall:
        first = escalations[0]
        reasons = ", ".join(escalation.reason.replace("_", " ") for escalation in escalations)
        category = next((e.category for e in escalations if e.category != "general"), self.brief.assessment.category)
        message = say(PHRASES.get(first.reason, "escalated"), self.language)
        return self.hand_to_person(REASON_CODES.get(first.reason, "other"), category, f"Reason: {reasons}.", message)

    def hand_over(self, reason_code: str, why: str) -> ToolCall:
        phrase = "escalated_unread" if self.brief.unread else "escalated"
        message = say("limit_reached" if reason_code == "tool_failure" else phrase, self.language)
        return self.hand_to_person(reason_code, self.brief.assessment.category, f"Reason: {why}.", message)

    def hand_to_person(self, reason_code: str, category: str, reason: str, message: str) -> ToolCall:
        if not self.may("escalate_to_human"):
            raise ModelFailure("malformed", "no tool is left that could end the turn")
        arguments = {
            "category": category,
            "reason_code": reason_code,
            "priority": choose_urgency(self.brief),
            "handoff_note": self.write_note(reason),
            "customer_message": message,
        }
        return self.call("escalate_to_human", arguments)

    def write_note(self, reason: str) -> str:
        """For the colleague: need, reason, what is known, what was tried, mood. The priority stands in the ticket."""
        found, searches = self.brief.assessment, self.progress.list_searches()
        known = [f"plan {self.brief.plan}" if self.brief.plan else "", f"language {found.language}"]
        known.append(f"open ticket {self.brief.open_ticket}" if self.brief.open_ticket else "")
        titles = [result.title for search in searches for result in search.results[:1]]
        tried = f"searched the articles, nearest: {titles[-1]}" if titles else "no article was offered"
        parts = (
            f"The customer writes: {quote_burst(self.brief)}",
            reason,
            note_unread(self.brief),
            f"Known: {', '.join(filter(None, known))}.",
            f"Tried: {tried if searches else 'nothing automatic'}.",
            f"Mood: {found.sentiment.label} ({found.sentiment.score:+.2f}), {found.trend}.",
        )
        return " ".join(filter(None, parts))

    def call(self, name: str, arguments: dict[str, Any]) -> ToolCall:
        return ToolCall(f"s{self.progress.step}c1", name, json.dumps(arguments, ensure_ascii=False))


def name_plan(passage: Found) -> str:
    """The title as a line above a passage that holds for one plan and does not say so itself; else nothing."""
    plans = [fact.value for fact in list_facts(passage.title) if fact.kind == "plan"]
    return f"{passage.title}:\n" if any(plan not in fold(passage.text) for plan in plans) else ""


def choose_section(question: str, searched: Searched) -> Found:
    """The section of the best article to quote: of those about as near, the one whose whole heading or the most of it
    the question names, else the one without a heading, which is how the article begins."""
    best = searched.results[0]
    near = [f for f in searched.results if f.title == best.title and f.score >= CLOSE_SECTIONS * best.score]
    asked = list_stems(question)
    told = asked - list_stems(best.title)

    def rank(found: Found) -> tuple[bool, int, bool]:
        heading = list_stems(found.heading)
        return bool(heading) and heading <= asked, len(heading & told), not heading

    return max(near, key=rank)


def rank_search(searched: Searched) -> tuple[int, float]:
    order = {"high": 2, "low": 1}
    return order.get(searched.confidence, 0), searched.results[0].score if searched.results else 0.0


def is_ambiguous(searched: Searched) -> bool:
    """Whether another article is as near as the first."""
    first = searched.results[0]
    rival = next((found for found in searched.results[1:] if found.title != first.title), None)
    return rival is not None and first.score > 0 and rival.score >= CLOSE_SCORES * first.score
