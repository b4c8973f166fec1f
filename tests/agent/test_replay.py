"""Promises about recorded turns: with the same answers they go the same way again, or it is said where not."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.models.replay import Different
from agent.replay import replay
from agent.replay_file import Recording, UnreadableRecording, read_recordings
from tests.replays.scenes import SCENES

FOLDER = Path(__file__).parents[1] / "replays"
FILES = sorted(FOLDER.glob("*.json"))


def read(path: Path) -> Recording:
    [recording] = read_recordings(path.read_text(encoding="utf-8"))
    return recording


async def find_difference(recording: Recording) -> str | None:
    try:
        await replay(recording)
    except Different as error:
        return str(error)
    return None


async def test_every_recorded_turn_makes_the_same_calls_and_says_the_same_words_again() -> None:
    differences = {path.stem: await find_difference(read(path)) for path in FILES}
    assert {name: said for name, said in differences.items() if said is not None} == {}


def test_the_recorded_turns_are_of_every_kind() -> None:
    assert {path.stem for path in FILES} == {scene.name for scene in SCENES}
    recordings = [read(path) for path in FILES]
    assert {one.given.brief.limits.channel for one in recordings} == {"web", "whatsapp", "gmail"}
    assert {one.end.outcome for one in recordings} >= {"answered", "asked", "acknowledged", "escalated"}
    limits = {"steps", "tool_calls", "tokens", "seconds", "usd", "models", "rejected_replies"}
    assert {one.end.limit for one in recordings} >= limits | {"attempts", "opted_out", "replies", "off"}
    assert Counter(one.given.brief.assessment.language for one in recordings).keys() >= {"de", "fr", "es", "ja"}
    assert sum(one.is_redacted for one in recordings) >= 3


Change = Callable[[dict[str, Any]], object]


def flip(result: dict[str, Any]) -> None:
    result["refused"] = not result["refused"]


CHANGES: list[tuple[str, Change, str]] = [
    ("limit_steps", lambda turn: turn["limits"].update(steps=3), "now escalate_to_human"),
    ("limit_tokens", lambda turn: turn["limits"].update(input_tokens=60_000), "primary is asked"),
    ("searched_before", lambda turn: turn["limits"].update(early_search=False), "primary is asked"),
    ("searched_before", lambda turn: turn["brief"]["burst"][0].update(text="Where is it?"), "Where is it?"),
    ("second_answers", lambda turn: turn["models"].reverse(), "second is asked"),
    ("second_answers", lambda turn: turn["end"].update(degraded=False), "degraded"),
    ("model_answers", lambda turn: turn["end"]["terminal"].update(body="Another word."), "Another word."),
    ("model_answers", lambda turn: turn["end"].update(limit="seconds"), "limit"),
    ("model_answers", lambda turn: turn["steps"].pop(), "recorded the end of the turn"),
    ("answer_web", lambda turn: turn["steps"].append(turn["steps"][0]), "ends after 2"),
    ("refused_twice", lambda turn: flip(turn["steps"][1]["results"][0]), "primary is asked"),
    ("several_calls_at_once", lambda turn: turn["steps"][0]["results"].reverse(), "get_customer_history"),
    ("mere_words", lambda turn: turn["steps"][0]["items"][0].update(text="Good for you."), "Good for you."),
    ("picture", lambda turn: turn["brief"].update(unread=["audio"]), "send_response"),
    ("wants_person", lambda turn: turn["steps"][0].update(error="timeout"), "only 0 of its calls"),
    ("machine", lambda turn: turn["brief"]["burst"][0].update(text="Hello here"), "Hello here"),
    ("nobody_answers", lambda turn: turn["models"].append("third"), "third is asked"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "said"), CHANGES)
async def test_a_turn_that_goes_another_way_is_told_with_the_first_difference(
    name: str, change: Change, said: str
) -> None:
    turn = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    change(turn)
    [recording] = read_recordings(json.dumps(turn))
    difference = await find_difference(recording)
    assert difference is not None
    assert said in difference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "null",
        "[1]",
        '{"format": 2}',
        "[" * 100_000,
        (FOLDER / "greeting.json").read_text(encoding="utf-8").replace('"call_id": "', '"call_id": "x'),
        (FOLDER / "greeting.json").read_text(encoding="utf-8").replace('"trust": 3', '"trust": "much"'),
    ],
)
def test_what_is_no_recorded_turn_is_refused_by_one_error(text: str) -> None:
    with pytest.raises(UnreadableRecording):
        read_recordings(text)
