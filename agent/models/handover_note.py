"""What the offline model writes to the colleague who takes over."""

from agent.brief import Brief
from agent.handoff import quote_burst
from agent.models.transcript import Progress
from agent.unread import note_unread


def write_note(brief: Brief, progress: Progress, reason: str) -> str:
    """Need, reason, what is known, what was tried, mood. The priority stands in the ticket."""
    found, searches = brief.assessment, progress.list_searches()
    known = [f"plan {brief.plan}" if brief.plan else "", f"language {found.language}"]
    known.append(f"open ticket {brief.open_ticket}" if brief.open_ticket else "")
    titles = [result.title for search in searches for result in search.results[:1]]
    tried = f"searched the articles, nearest: {titles[-1]}" if titles else "no article was offered"
    parts = (
        f"The customer writes: {quote_burst(brief)}",
        reason,
        note_unread(brief),
        f"Known: {', '.join(filter(None, known))}.",
        f"Tried: {tried if searches else 'nothing automatic'}.",
        f"Mood: {found.sentiment.label} ({found.sentiment.score:+.2f}), {found.trend}.",
    )
    return " ".join(filter(None, parts))
