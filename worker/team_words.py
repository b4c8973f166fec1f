"""What mails to the team say: who needs a person, and who waits in the morning. No customer's words but in the note."""

from datetime import datetime
from uuid import UUID

from db.notices import Notice, WaitingLine

MAX_NAME = 100  # characters
MAX_NOTE = 4_000
NOT_HERE = "Do not answer this mail: nobody reads the answer. Open the link."
CHANNELS = {"gmail": "mail", "whatsapp": "WhatsApp", "web": "the web form"}


def write_notice(notice: Notice, base_url: str) -> tuple[str, str]:
    """Subject and text of the mail that a customer needs a person."""
    reason = say_code(notice.reason)
    lines = [
        f"{say_name(notice.customer)} waits for a person on {CHANNELS.get(notice.channel, notice.channel)}.",
        f"Reason: {reason}. Due: {say_due(notice.due_at)}.",
    ]
    if note := notice.note.strip():
        lines.append(note[:MAX_NOTE])
    lines += [make_link(base_url, notice.conversation_id), NOT_HERE]
    return f"{notice.reference or 'A customer'}: {reason}", "\n\n".join(lines) + "\n"


def write_digest(waiting: list[WaitingLine], total: int, base_url: str) -> tuple[str, str]:
    """Subject and text of the daily list. total: of all who wait, of whom `waiting` are the first by due time."""
    overdue = sum(line.is_overdue for line in waiting)
    head = f"{count_customers(total)} waiting" + (f", {overdue} overdue" if overdue else "")
    lines = [f"{head}:\n"]
    lines += [f"{describe_line(line)}\n  {make_link(base_url, line.conversation_id)}" for line in waiting]
    if total > len(waiting):
        lines.append(f"and {total - len(waiting)} more: {base_url}/inbox")
    return head, "\n".join(lines) + f"\n\n{NOT_HERE}\n"


def describe_line(line: WaitingLine) -> str:
    due = f"due {say_due(line.due_at)}" + (", overdue" if line.is_overdue else "")
    channel = CHANNELS.get(line.channel, line.channel)
    return f"{line.reference or 'new'}, {channel}: {due}; {line.owner or 'nobody has it'}"


def make_link(base_url: str, conversation_id: UUID | None) -> str:
    return f"{base_url}/conversations/{conversation_id}" if conversation_id else f"{base_url}/inbox"


def count_customers(number: int) -> str:
    return f"{number} customer is" if number == 1 else f"{number} customers are"


def say_name(name: str | None) -> str:
    """On one line: it is whatever somebody called themselves."""
    return " ".join((name or "").split())[:MAX_NAME] or "A customer"


def say_due(due: datetime | None) -> str:
    return due.strftime("%Y-%m-%d %H:%M UTC") if due else "no time is set"


def say_code(code: str) -> str:
    return code.replace("_", " ")
