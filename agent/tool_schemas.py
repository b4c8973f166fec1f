"""The six tools as the model sees them.

Every property is required, an optional one may be null, and no keyword limits a length or a range: that is the subset
of JSON schema every provider accepts in strict mode. What the schema cannot say, the tools check.
No tool takes the id of a customer, a conversation or a ticket.
"""

from typing import Any, get_args

from agent.brief import Category
from agent.models.base import ToolSpec
from agent.tool_arguments import EscalationPriority, HistoryScope, ReasonCode, ResponseKind, TicketPriority

CATEGORIES = list(get_args(Category))
HISTORY_SCOPES = list(get_args(HistoryScope))
TICKET_PRIORITIES = list(get_args(TicketPriority))
ESCALATION_PRIORITIES = list(get_args(EscalationPriority))
REASON_CODES = list(get_args(ReasonCode))
RESPONSE_KINDS = list(get_args(ResponseKind))


def describe_object(properties: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def describe_string(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def describe_choice(values: list[str]) -> dict[str, Any]:
    return {"type": "string", "enum": values}


SEARCH_KNOWLEDGE_BASE = ToolSpec(
    "search_knowledge_base",
    "Search approved help articles. Call before stating any product fact, price, policy or procedure. Rephrase the "
    "customer's need as a short search query in the language of the articles; resolve pronouns from the conversation.",
    describe_object(
        {
            "query": describe_string("2-20 words, no personal data"),
            "category": {
                "type": ["string", "null"],
                "enum": [*CATEGORIES, None],
                "description": "Restrict to a category, or null",
            },
        }
    ),
)
GET_CUSTOMER_HISTORY = ToolSpec(
    "get_customer_history",
    "Read this customer's earlier conversations and open tickets on every channel. The customer is fixed by the "
    "system. Use only when the message refers to something earlier or when an open ticket would change the answer.",
    describe_object({"scope": describe_choice(HISTORY_SCOPES)}),
)
CREATE_TICKET = ToolSpec(
    "create_ticket",
    "Open a ticket for work that continues after this reply, or attach to the open one on the same subject. Do not "
    "open a ticket for a question you answer now.",
    describe_object(
        {
            "subject": describe_string("Max 120 characters, no personal data"),
            "category": describe_choice(CATEGORIES),
            "priority": describe_choice(TICKET_PRIORITIES),
            "summary": describe_string("What the customer needs, what was tried, 1-4 sentences"),
        }
    ),
)
ESCALATE_TO_HUMAN = ToolSpec(
    "escalate_to_human",
    "Hand this conversation to a person. Required for: a request for a human, billing disputes or refunds, legal, "
    "security or privacy, account deletion, data loss, threats or self-harm, a very angry customer, or when two "
    "searches gave no answer. After success you stop answering this conversation.",
    describe_object(
        {
            "category": describe_choice(CATEGORIES),
            "reason_code": describe_choice(REASON_CODES),
            "priority": describe_choice(ESCALATION_PRIORITIES),
            "handoff_note": describe_string(
                "For the colleague: what is asked, facts known, what was tried. 2-5 sentences"
            ),
            "customer_message": describe_string(
                "One or two sentences to the customer saying a colleague takes over; no time promise"
            ),
        }
    ),
)
ANALYZE_SENTIMENT = ToolSpec(
    "analyze_sentiment",
    "Score the mood of the customer's latest message with the company's own scorer. The system has already run it "
    "once for this turn; call only for a quoted earlier message.",
    describe_object(
        {
            "message_ref": {
                "type": ["string", "null"],
                "description": "Message reference such as m3 from the transcript; null for the latest",
            }
        }
    ),
)
SEND_RESPONSE = ToolSpec(
    "send_response",
    "Give the reply for the customer. This ends your turn; call it exactly once and alone. The system adds greeting, "
    "signature, ticket reference and splits long text for the channel.",
    describe_object(
        {
            "body": describe_string("Plain text, customer's language, no greeting or signature"),
            "citations": {
                "type": "array",
                "description": "Handles (K1, K2) of the search results that support the body; empty only when no "
                "product fact is stated",
                "items": {"type": "string"},
            },
            "kind": describe_choice(RESPONSE_KINDS),
            "resolves": {"type": "boolean", "description": "true if nothing is left to do"},
            "language": describe_string("BCP-47 code of the reply"),
        }
    ),
)

TOOLS = (
    SEARCH_KNOWLEDGE_BASE,
    GET_CUSTOMER_HISTORY,
    CREATE_TICKET,
    ESCALATE_TO_HUMAN,
    ANALYZE_SENTIMENT,
    SEND_RESPONSE,
)
DRAFT_TOOLS = tuple(tool for tool in TOOLS if tool is not CREATE_TICKET)
"""Where somebody of the team asked for a draft: nothing of such a turn is filed."""
TERMINAL_TOOLS = (ESCALATE_TO_HUMAN, SEND_RESPONSE)
"""The ones that end a turn: all that may be called on its last step."""
