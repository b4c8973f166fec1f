"""The checks of a reply: right answers let out, wrong ones refused, over the articles of the sample company."""

from bench.report import Report
from tests.agent.answers import Answer, list_fresh, list_gold, list_problems, list_wrong
from tests.agent.test_grounding_answers import count_caught

FRESH = "answers_gold_held_out.jsonl"
AUTHORS = {"fresh": "second half: seen once", "third": "second half: unseen"}
"""Authors who had not seen the checks, and what became of the half of their answers that was held back."""


async def measure(report: Report, *, quick: bool) -> None:  # noqa: ARG001 (as every part is called)
    """Needs no database: the articles are read from their files."""
    gold, wrong = list_gold(), list_wrong()
    accepted = sum(not list_problems(answer) for answer in gold)
    report.add("grounding", f"right answers accepted, {len(gold)}", accepted / len(gold), "", at_least=1.0)
    refused = sum(not set(answer.codes).isdisjoint(list_problems(answer)) for answer in wrong)
    report.add("grounding", f"wrong answers refused, {len(wrong)}", refused / len(wrong), "", at_least=1.0)
    fresh = list_gold(FRESH)
    accepted = sum(not list_problems(answer) for answer in fresh)
    report.add("grounding", f"freely worded answers accepted, {len(fresh)}", accepted / len(fresh), "")
    for author, held_back in AUTHORS.items():
        add_blind(report, author, held_back)
    made, caught = count_caught([*gold, *fresh])
    for change, count in sorted(made.items()):
        report.add("grounding", f"made by rule, {change}, refused of {count}", caught[change] / count, "")


def add_blind(report: Report, author: str, held_back: str) -> None:
    """The answers of one author, by halves."""
    for name, is_right in ((f"answers_gold_{author}.jsonl", True), (f"answers_wrong_{author}.jsonl", False)):
        title = f"{author} author, right answers accepted" if is_right else f"{author} author, wrong ones refused"
        for half, answers in zip(("first half: mended against", held_back), list_fresh(name), strict=True):
            report.add("grounding", f"{title}, {half}, {len(answers)}", measure_right(answers, is_right=is_right), "")


def measure_right(answers: list[Answer], *, is_right: bool) -> float:
    """The share the checks judge rightly: right ones let out, wrong ones not."""
    return sum((not list_problems(answer)) == is_right for answer in answers) / len(answers)
