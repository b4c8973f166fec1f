"""The model that needs no key: rules, search, and answers quoted from articles. The same question, the same calls."""

import json
from dataclasses import dataclass
from typing import Any

from agent.asked import (
    asks_whether_seen,
    is_assent,
    leans_back,
    list_asked,
    list_situations,
    write_keywords,
    write_query,
)
from agent.assess import asks_for_update, says_it_failed
from agent.brief import Brief, Escalation
from agent.handoff import PHRASES, REASON_CODES, choose_urgency
from agent.models.base import ModelFailure, ModelReply, ModelRequest, ToolCall, Usage
from agent.models.choice import Choice, list_titles, list_variants, names_plan
from agent.models.earlier import asks_again, failed_before, join_with_earlier, was_said
from agent.models.handover_note import write_note
from agent.models.quoting import Answer, Quoter, is_foreign
from agent.models.transcript import Progress, Searched, read_progress
from agent.phrases import choose_language, is_phrase, say
from agent.queries import choose_title, find_unknown_names, list_keywords
from agent.tool_schemas import TERMINAL_TOOLS
from agent.unread import find_last_reply, has_asked, needs_person, say_unread
from agent.words import fold

MAX_SEARCHES = 4
SHORT_WORDS = 25
OFFERS = ("not_found", "not_solved", "unread_ask")
"""Fixed texts that offer a person."""


class OfflineModel:
    """Takes every step by rule. Text of customers and articles is quoted or counted, never obeyed."""

    name = "offline"

    async def reply(self, request: ModelRequest) -> ModelReply:
        """One tool call. Raises ModelFailure ("malformed") where no tool is left that could end the turn."""
        tools = TERMINAL_TOOLS if request.is_last else request.tools
        call = Turn(request.brief, read_progress(request.items), frozenset(tool.name for tool in tools)).decide()
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
        if any(not one.is_doubtful for one in found.escalations) and self.may("escalate_to_human"):
            return self.escalate(found.escalations)
        if len(self.progress.list_errors("send_response")) >= 2:
            return self.hand_over("tool_failure", "a reply was refused twice")
        if self.brief.unread and (found.is_closing or found.is_greeting):
            return self.ask_for_words()
        if found.is_closing:
            return self.send("acknowledgement", "closing", resolves=True)
        if found.is_greeting:
            return self.send("acknowledgement", "greeting")
        return self.reply_to_gesture() or self.follow_up() or self.search() or self.answer()

    def may(self, tool: str) -> bool:
        """Whether a tool is offered and has not failed twice in this turn."""
        return tool in self.tools and len(self.progress.list_errors(tool)) < 2

    def reply_to_gesture(self) -> ToolCall | None:
        """Where the customer only says yes, or only asks whether we saw what they sent: no article answers that."""
        if asks_whether_seen(self.text):
            return self.ask_for_words()
        if is_assent(self.text) and self.last_reply and self.chosen_title is None:
            if any(is_phrase(offer, self.last_reply) for offer in OFFERS):
                return self.hand_over("customer_request", "they take the offer to write with a person")
            return self.hand_over("no_answer", "they say yes to what was offered before")
        return None

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
        """What is asked, then its keywords where that was not sure, then each of several questions by itself.
        None when there is enough to go on."""
        done = len(self.progress.list_results("search_knowledge_base"))
        if not self.may("search_knowledge_base") or done >= MAX_SEARCHES:
            return None
        made = {searched.query for searched in self.progress.list_searches()}
        query = next((query for query in self.list_queries() if query not in made), None)
        return self.call("search_knowledge_base", {"query": query, "category": None}) if query else None

    def list_queries(self) -> list[str]:
        """All searches of this turn in order, as far as they can be told yet."""
        subject = "" if self.brief.history else self.brief.subject
        first = self.chosen_title or write_query(self.text, subject)
        searches = self.progress.list_searches()
        if not searches:
            return [first] if first else []
        is_sure = searches[0].confidence == "high" or self.chosen_title is not None
        wordings = () if is_sure else (write_keywords(self.text, subject), join_with_earlier(self.brief))
        return [*filter(None, wordings), *self.list_parts()]

    def list_parts(self) -> list[str]:
        """What to look up by itself: each of several questions, or the one beside what they say of their case."""
        asked = list_asked(self.text)
        is_apart = len(asked) > 1 or (asked and list_situations(self.text) and len(self.text.split()) <= SHORT_WORDS)
        return [one.full for one in asked] if is_apart and not self.chosen_title else []

    @property
    def choice(self) -> Choice:
        """What the searches so far say together."""
        searches, parts = self.progress.list_searches(), self.list_parts()
        by_query = {searched.query: searched for searched in searches}
        joined = by_query.get(join_with_earlier(self.brief))
        whole = [s for s in searches if s.query not in parts and s is not joined] or searches[:1]
        found = [by_query.get(query, Searched(query, (), "none")) for query in parts]
        return Choice(whole, found, self.brief, self.chosen_title, joined)

    @property
    def last_reply(self) -> str:
        return find_last_reply(self.brief)

    @property
    def chosen_title(self) -> str | None:
        """The article picked from the titles we offered last."""
        return choose_title(self.text, self.last_reply) if is_phrase("clarify", self.last_reply) else None

    # Answering ---------------------------------------------------------------------------------------------------

    def answer(self) -> ToolCall:
        """The quotation, where it is sure what is meant; else one question back, and after that a person."""
        choice, leaning = self.choice, self.brief.assessment.escalations
        best, was_asked = choice.best, has_asked(self.brief)
        if leaning and choice.title is None and self.may("escalate_to_human"):
            return self.escalate(leaning)
        if best is None or not best.results:
            return self.give_up(was_asked=was_asked)
        if not was_asked and find_unknown_names(self.text, [self.brief.company, *map(str, choice.list_found())]):
            return self.ask_more()
        variants = list_variants(best, self.brief.plan)
        if variants and not was_asked and not names_plan(self.text, variants):
            return self.clarify(best, variants)
        failed = choice.find_current() if says_it_failed(self.text, self.language) else None
        if title := failed or choice.title:
            return self.quote(choice, title)
        if best.confidence == "none":
            if any(is_foreign(found, self.language) for found in best.results):
                return self.hand_over("no_answer", "the articles are in another language")
            return self.give_up(was_asked=was_asked)
        if was_asked:
            return self.hand_over("no_answer", "still unclear after a question back")
        return self.clarify(best, list_titles(best))

    def give_up(self, *, was_asked: bool) -> ToolCall:
        """Where no article was found: ask once, then a person."""
        if was_asked:
            return self.hand_over("no_answer", "no article found, also after a question back")
        return self.ask_more()

    def quote(self, choice: Choice, title: str) -> ToolCall:
        """The article's own words; a further question about what was quoted already gets the sentence that answers."""
        quoter = Quoter(self.brief, choice, shorter=bool(self.progress.list_errors("send_response")))
        goes_on = choice.find_current() == title and leans_back(self.text)
        further = quoter.write_further(title) if goes_on else None
        answer = further or quoter.write(title, self.question)
        if answer is None:
            return self.hand_over("no_answer", f"nothing quotable in {title!r}")
        if was_said(self.brief, answer.body) and (further is None or was_said(self.brief, answer.body, whole=True)):
            answer = self.write_instead(quoter, title)
        if answer is None and goes_on and not says_it_failed(self.text, self.language) and not asks_again(self.brief):
            return self.give_up(was_asked=has_asked(self.brief))
        if answer is None:
            return self.reply_to_failure()
        return self.respond(answer.body, "answer", citations=answer.citations)

    def write_instead(self, quoter: Quoter, title: str) -> Answer | None:
        """What to say where the answer was given before: to a further question its sentence, to who says that it did
        not help a section that was not quoted yet; None for who only repeats the question, or nothing is left."""
        if says_it_failed(self.text, self.language):
            return None if failed_before(self.brief) else quoter.write_fresh(title)
        if asks_again(self.brief):
            return None
        answer = quoter.write_further(title)
        return None if answer is None or was_said(self.brief, answer.body, whole=True) else answer

    def reply_to_failure(self) -> ToolCall:
        """Where nothing new can be said: whoever says that it did not help is asked once what they see."""
        is_first = says_it_failed(self.text, self.language) and not failed_before(self.brief)
        if is_first and not (has_asked(self.brief) or self.brief.unread or self.brief.is_draft):
            return self.send("clarifying_question", "not_solved")
        return self.hand_over("no_answer", "the same answer was given before and did not help")

    @property
    def question(self) -> str:
        """What is asked, with the earlier question where they only pick or complain."""
        earlier = [line.text for line in self.brief.history if line.author == "customer"][-1:]
        own = " ".join(one.telling for one in list_asked(self.text)) or self.text
        words = list_keywords(own).split()
        return " ".join([self.chosen_title or "", own, *(earlier if len(words) < 2 else ())])

    def clarify(self, searched: Searched, titles: list[str]) -> ToolCall:
        """The one question back, naming the choices."""
        if not titles or self.brief.unread or self.progress.list_errors("send_response"):
            return self.ask_more()
        by_title = {found.title: found for found in reversed(searched.results)}
        listed = "\n".join(f"{number}. {title}" for number, title in enumerate(titles, start=1))
        cited = [by_title[title].citation for title in titles]
        body = say("clarify", self.language, titles=listed)
        return self.respond(body, "clarifying_question", citations=cited)

    def ask_more(self) -> ToolCall:
        """A question back; where something came along that only a person can see, or one has asked us, the person."""
        if self.brief.is_draft:
            return self.hand_over("no_answer", "no article was found that answers it")
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
            "handoff_note": write_note(self.brief, self.progress, reason),
            "customer_message": message,
        }
        return self.call("escalate_to_human", arguments)

    def call(self, name: str, arguments: dict[str, Any]) -> ToolCall:
        return ToolCall(f"s{self.progress.step}c1", name, json.dumps(arguments, ensure_ascii=False))
