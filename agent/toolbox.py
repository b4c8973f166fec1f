"""The tools of one turn: what the model may call, checked, and bound to one customer by the server.

Tools that read answer at once. Tools that write check what they are given and leave an effect; nothing is changed until
the turn's commit. What happened so far is kept in TurnState, which a crashed turn rebuilds from its journal.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from agent import tool_arguments as arguments
from agent.effects import CreateTicket, Effect, Escalate, Respond
from agent.grounding import Problem, ReplyDraft, check_reply, check_title
from agent.models.base import ToolCall
from agent.phrases import say
from agent.retrieval import FoundPassage, SearchQuery, search
from agent.sentiment import score_sentiment
from agent.tool_state import ToolContext, ToolOutcome, TurnState, call_key, gather_evidence
from db import escalations, history
from db.escalations import DrawnTicket, Route
from db.passages import SHOWN_CHARS
from db.pool import acquire

__all__ = ["ToolContext", "ToolOutcome", "ToolRefused", "Toolbox", "TurnState"]

ESCALATION_FLOOR = {"normal": 5, "high": 8, "urgent": 9}
TICKET_PRIORITY = {"low": 2, "normal": 4, "high": 7, "urgent": 9}


class ToolRefused(Exception):
    """A call that was not carried out; the model is told why and may try again."""

    def __init__(self, code: str, message: str, *, retry: bool = True, hint: str = "") -> None:
        super().__init__(message)
        self.output = {"error": {"code": code, "message": message, "retry": retry, "hint": hint}}


class Toolbox:
    """Carries out the calls of one turn, one after the other."""

    def __init__(self, context: ToolContext, state: TurnState) -> None:
        self.context = context
        self.state = state
        self.tools: dict[str, tuple[type[BaseModel], Callable[[Any], Awaitable[ToolOutcome]]]] = {
            "search_knowledge_base": (arguments.Search, self.search_knowledge_base),
            "get_customer_history": (arguments.History, self.get_customer_history),
            "analyze_sentiment": (arguments.SentimentOf, self.analyze_sentiment),
            "create_ticket": (arguments.Ticket, self.create_ticket),
            "escalate_to_human": (arguments.Handover, self.escalate_to_human),
            "send_response": (arguments.Reply, self.send_response),
        }
        if context.brief.is_draft:
            del self.tools["create_ticket"]

    async def call(self, call: ToolCall) -> ToolOutcome:
        """Carry out one call. Whatever is wrong with it is told to the model, never raised."""
        try:
            if self.state.ending is not None:
                raise ToolRefused("turn_already_ended", "this turn has already ended", retry=False)
            if call.name not in self.tools:
                raise ToolRefused("unknown_tool", f"there is no tool {call.name[:40]}", hint=", ".join(self.tools))
            if self.state.calls[call_key(call)] >= 2:
                raise ToolRefused("duplicate_call", "the same call was made twice already", retry=False)
            model, run = self.tools[call.name]
            return await run(model.model_validate_json(call.arguments or "{}"))
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors())
            refusal = ToolRefused("invalid_arguments", wrong[:500])
        except ToolRefused as error:
            refusal = error
        return ToolOutcome(json.dumps(refusal.output), refused=True)

    # Tools that read ---------------------------------------------------------------------------------------------

    async def search_knowledge_base(self, args: arguments.Search) -> ToolOutcome:
        brief = self.context.brief
        earlier = tuple(line.text for line in brief.history if line.author == "customer")[-2:]
        query = SearchQuery(
            text=args.query,
            previous=earlier,
            category=args.category,
            plan=brief.plan,
            language=brief.assessment.language,
        )
        found = await search(self.context.pool, self.context.embedder, query)
        known = {passage["passage"]: handle for handle, passage in self.state.passages.items()}
        rows = []
        for passage in found.passages:
            handle = known.get(passage.passage_id) or f"K{len(known) + 1}"
            known[passage.passage_id] = handle
            rows.append(describe_passage(handle, passage))
        shown = [{name: row[name] for name in ("k", "title", "text", "updated", "score")} for row in rows]
        return ToolOutcome(json.dumps({"results": shown, "confidence": found.confidence}), passages=tuple(rows))

    async def get_customer_history(self, args: arguments.History) -> ToolOutcome:
        conversation_id, trust = self.context.conversation_id, self.context.brief.trust
        answer: dict[str, Any] = {"identity": "verified" if trust >= 1 else "unverified"}
        async with acquire(self.context.pool) as conn:
            if args.scope in ("open_tickets", "all"):
                answer["tickets"] = await history.list_open_tickets(conn, conversation_id=conversation_id, trust=trust)
            if args.scope in ("recent_conversations", "all"):
                answer["conversations"] = await history.list_earlier_conversations(
                    conn, conversation_id=conversation_id, trust=trust
                )
        return ToolOutcome(json.dumps(answer))

    async def analyze_sentiment(self, args: arguments.SentimentOf) -> ToolOutcome:
        brief = self.context.brief
        lines = {line.ref: line.text for line in (*brief.history, *brief.burst) if line.author == "customer"}
        if args.message_ref is not None and args.message_ref not in lines:
            raise ToolRefused("not_found", "no message of the customer has that reference", hint=", ".join(lines))
        text = lines[args.message_ref or brief.burst[-1].ref]
        mood = score_sentiment(text, brief.assessment.language)
        shown = {"score": mood.score, "label": mood.label, "signals": mood.signals, "trend": brief.assessment.trend}
        return ToolOutcome(json.dumps(shown))

    # Tools that write --------------------------------------------------------------------------------------------

    async def create_ticket(self, args: arguments.Ticket) -> ToolOutcome:
        existing = self.context.brief.open_ticket or self.state.drawn_reference
        if existing is not None:
            return ToolOutcome(json.dumps({"ref": existing, "existing": True, "expected_first_reply": None}))
        brief = self.context.brief
        refuse(
            check_title(args.subject, await gather_evidence(self.context, self.state)),
            hint="name the matter in the customer's words",
        )
        drawn = await self.draw_ticket(args.category)
        due = drawn.first_response_due_at
        priority = max(TICKET_PRIORITY[args.priority], brief.assessment.priority)
        effect = CreateTicket(
            drawn.reference, args.subject, args.category, priority, brief.assessment.priority_why, args.summary
        )
        shown = {"ref": drawn.reference, "existing": False, "expected_first_reply": due.isoformat() if due else None}
        return ToolOutcome(json.dumps(shown), effects=(effect,))

    async def escalate_to_human(self, args: arguments.Handover) -> ToolOutcome:
        brief = self.context.brief
        message = await self.check_handover(args.customer_message)
        filed = brief.open_ticket or self.state.drawn_reference
        route = await self.find_route(args.category, filed)
        priority = max(ESCALATION_FLOOR[args.priority], brief.assessment.priority)
        why = brief.assessment.priority_why or args.reason_code
        effects: list[Effect] = []
        if filed is None:
            subject = brief.subject or " ".join((brief.words.strip() or brief.burst[-1].text).split())[:120]
            effects.append(CreateTicket(route.reference, subject, args.category, priority, why, args.handoff_note))
        reasons = [escalation.reason for escalation in brief.assessment.escalations]
        effects.append(
            Escalate(
                reference=route.reference,
                category=args.category,
                reason=reasons[0] if reasons else args.reason_code,
                priority=priority,
                priority_why=why,
                handoff_note=args.handoff_note,
                team=route.team,
                assignee=route.assignee,
                due_at=route.due_at.isoformat(),
                customer_message=message,
            )
        )
        shown = {"status": "handed_off", "team": route.team, "ref": route.reference, "due": route.due_at.isoformat()}
        return ToolOutcome(json.dumps(shown), effects=tuple(effects))

    async def draw_ticket(self, category: str) -> DrawnTicket:
        prefix, plan = self.context.ticket_prefix, self.context.brief.plan
        async with acquire(self.context.pool) as conn:
            return await escalations.draw_ticket(conn, prefix=prefix, category=category, plan=plan)

    async def find_route(self, category: str, filed: str | None) -> Route:
        """Who takes over; a reference is drawn where nothing is filed yet."""
        async with acquire(self.context.pool) as conn:
            return await escalations.load_route(conn, category, reference=filed, prefix=self.context.ticket_prefix)

    async def check_handover(self, message: str) -> str:
        """The word to the customer if it passes the checks of a reply, else our own: a handover is never put off."""
        language = self.context.brief.assessment.language
        draft = ReplyDraft(body=message, citations=(), kind="acknowledgement", language=language)
        evidence = replace(
            await gather_evidence(self.context, self.state),
            done=frozenset({*self.state.tools_done, "escalate_to_human"}),
        )
        return say("escalated", language) if check_reply(draft, evidence) else message

    async def send_response(self, args: arguments.Reply) -> ToolOutcome:
        brief = self.context.brief
        must = [escalation for escalation in brief.assessment.escalations if escalation.must]
        if must:
            raise ToolRefused("must_escalate", f"policy: {must[0].reason} goes to a person", hint="escalate_to_human")
        draft = ReplyDraft(body=args.body, citations=tuple(args.citations), kind=args.kind, language=args.language)
        refuse(
            check_reply(draft, await gather_evidence(self.context, self.state)),
            hint="say only what the cited results say, or escalate",
        )
        cited = [self.state.passages[handle] for handle in args.citations]
        citations = [{name: row[name] for name in ("passage", "version", "slug", "title", "url")} for row in cited]
        effect = Respond(args.body.strip(), args.kind, args.language, args.resolves, citations)
        return ToolOutcome(json.dumps({"status": "accepted"}), effects=(effect,))


def refuse(problems: tuple[Problem, ...], *, hint: str) -> None:
    """Raises ToolRefused when anything is wrong, with all of it."""
    if problems:
        told = "; ".join(problem.message for problem in problems)
        raise ToolRefused(problems[0].code, told[:800], hint=hint)


def describe_passage(handle: str, passage: FoundPassage) -> dict[str, Any]:
    """A found passage as the journal and the citations keep it."""
    return {
        "k": handle,
        "passage": passage.passage_id,
        "article": passage.article_id,
        "version": passage.version,
        "plan": passage.plan,
        "slug": passage.slug,
        "title": passage.title,
        "url": f"/help/{passage.slug}?version={passage.version}",
        "text": (f"## {passage.heading}\n\n" if passage.heading else "") + passage.text[:SHOWN_CHARS],
        "updated": passage.updated.isoformat() if passage.updated else None,
        "score": round(passage.score, 4),
    }
