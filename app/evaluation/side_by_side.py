"""What was answered then beside what would be answered now: for people and for scripts."""

import json
import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from decimal import Decimal
from itertools import zip_longest
from typing import Any, TypeVar

from agent.prompt import INVISIBLE, PROMPT_VERSION
from app.evaluation.conversations import Compared, Rerun, Side

Number = TypeVar("Number", int, Decimal)
BETWEEN = " | "
NARROWEST, WIDEST = 60, 160  # characters of a line


def as_text(rerun: Rerun) -> str:
    """Each turn, then the figures."""
    width = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
    blocks = [draw_turn(one, width) for one in rerun.compared]
    return "\n".join([*(line for block in blocks for line in (*block, "")), *list_figures(rerun)])


def draw_turn(one: Compared, width: int) -> list[str]:
    brief = one.given.brief
    said = "\n".join(filter(None, ("" if brief.history else brief.subject, *(line.text for line in brief.burst))))
    head = f"{one.turn.id}  {one.turn.started_at:%Y-%m-%d %H:%M} UTC  {brief.limits.channel}"
    column = (width - len(BETWEEN)) // 2
    then, now = (wrap(describe(side, name), column) for side, name in ((one.then, "then"), (one.now, "now")))
    beside = zip_longest(then, now, fillvalue="")
    return [
        "-" * width,
        head,
        *wrap(said, width - 2, "> "),
        "",
        *(f"{left:<{column}}{BETWEEN}{right}".rstrip() for left, right in beside),
    ]


def describe(side: Side, name: str) -> str:
    known = [side.model or "no model"]
    if side.cost_usd:
        known.append(show_usd(side.cost_usd))
    if side.tokens:
        known.append(show_tokens(side.tokens))
    head = f"{name.upper()} {side.outcome} ({', '.join(known)})"
    cited = f"cites {', '.join(side.cited)}" if side.cited else ""
    return "\n".join(filter(None, (head, side.limit, cited, "", side.text)))


def wrap(text: str, width: int, mark: str = "") -> list[str]:
    """Lines for a terminal, without what would steer it."""
    text = INVISIBLE.sub("", text)
    return [
        mark + part
        for line in text.splitlines()
        for part in (textwrap.wrap(line, width, break_on_hyphens=False) or [""])
    ]


def list_figures(rerun: Rerun) -> list[str]:
    figures = summarise(rerun)
    count = figures["turns"]
    more, fewer = figures["newly_escalated"], figures["no_longer_escalated"]
    then, now = figures["then"], figures["now"]
    shown = [
        f"models now: {', '.join(rerun.models)}; prompt {PROMPT_VERSION}",
        f"turns run again    {count}",
        f"same outcome       {show_share(figures['same_outcome'], count)}",
        f"same articles      {show_share(figures['same_articles'], count)}",
        f"same words         {show_share(figures['same_words'], count)}",
        f"escalated          {then['escalated']} then, {now['escalated']} now: {len(more)} more, {len(fewer)} fewer",
        *(f"  now escalated    {turn}" for turn in more),
        *(f"  no longer        {turn}" for turn in fewer),
        f"cost               {show_usd(then['cost_usd'])} then, {show_usd(now['cost_usd'])} now",
        f"tokens             {show_tokens(then['tokens'])} then, {show_tokens(now['tokens'])} now",
        *(f"left out           {number}: {why}" for why, number in figures["left_out"].items()),
    ]
    return [*shown, "stopped: DAILY_BUDGET_USD is used up"] if rerun.is_out_of_money else shown


def summarise(rerun: Rerun) -> dict[str, Any]:
    """The figures of all turns; money in US dollars, None where no price is known."""
    pairs = [(one.then, one.now) for one in rerun.compared]
    return {
        "turns": len(pairs),
        "same_outcome": sum(then.outcome == now.outcome for then, now in pairs),
        "same_articles": sum(set(then.cited) == set(now.cited) for then, now in pairs),
        "same_words": sum(then.text == now.text for then, now in pairs),
        "newly_escalated": [
            str(one.turn.id) for one in rerun.compared if one.now.is_escalated and not one.then.is_escalated
        ],
        "no_longer_escalated": [
            str(one.turn.id) for one in rerun.compared if one.then.is_escalated and not one.now.is_escalated
        ],
        "then": add_up([then for then, _ in pairs]),
        "now": add_up([now for _, now in pairs]),
        "left_out": dict(Counter(why for _, why in rerun.left_out)),
    }


def add_up(sides: Sequence[Side]) -> dict[str, Any]:
    return {
        "escalated": sum(side.is_escalated for side in sides),
        "cost_usd": total(side.cost_usd for side in sides),
        "tokens": total(side.tokens for side in sides),
    }


def total(values: Iterable[Number | None]) -> Number | None:
    """None where nothing was counted."""
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known else None


def show_usd(usd: Decimal | None) -> str:
    return "no price known" if usd is None else f"${usd:.4f}"


def show_tokens(tokens: int | None) -> str:
    return "tokens not counted" if tokens is None else f"{tokens} tokens"


def show_share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({part / whole:.0%})" if whole else "")


def as_json(rerun: Rerun) -> str:
    """{models, prompt_version, figures, turns: [{turn, at, channel, said, then, now, seconds}], left_out}."""
    result = {
        "models": rerun.models,
        "prompt_version": PROMPT_VERSION,
        "figures": summarise(rerun),
        "turns": [describe_compared(one) for one in rerun.compared],
        "left_out": [{"turn": str(turn.id), "why": why} for turn, why in rerun.left_out],
        "is_out_of_money": rerun.is_out_of_money,
    }
    return json.dumps(result, ensure_ascii=False, indent=1, default=str)


def describe_compared(one: Compared) -> dict[str, Any]:
    return {
        "turn": str(one.turn.id),
        "at": one.turn.started_at.isoformat(),
        "channel": one.given.brief.limits.channel,
        "said": [line.text for line in one.given.brief.burst],
        "then": asdict(one.then),
        "now": asdict(one.now),
        "seconds": round(one.seconds, 3),
    }
