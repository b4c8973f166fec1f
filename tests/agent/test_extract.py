"""Answers cut out of the sample company's articles: nothing is cut in two, and nothing loses its condition."""

from pathlib import Path

import pytest

from agent.extract import Space, extract_answer, quote_best
from app.front_matter import parse_article
from db.text import plain_text
from tests.agent.offline_desk import SAMPLE_COMPANY, Desk, make_brief, sample_result

CHANNELS = pytest.mark.parametrize("space", [Space(300, 1600), Space(900, 2500)], ids=["chat", "web"])


def read_passages(slug: str) -> list[str]:
    """The passages of a sample article as the search shows them."""
    return [row["text"] for row in reversed(sample_result(slug)["results"])]


def list_blocks(passage: str) -> list[str]:
    """The paragraphs, lists and headings of a passage as a customer would read them."""
    return [plain_text(block) for block in passage.split("\n\n")]


def find_torn(answer: str, passage: str) -> list[str]:
    """The blocks of a passage that stand in an answer only in part, and lines that are the passage's nowhere."""
    lines, blocks = set(answer.splitlines()) - {""}, list_blocks(passage)
    torn = [block for block in blocks if block not in answer and lines & set(block.splitlines())]
    return torn + sorted(lines - {line for block in blocks for line in block.splitlines()})


@CHANNELS
@pytest.mark.parametrize("path", sorted(SAMPLE_COMPANY.glob("*.md")), ids=lambda path: path.stem)
def test_no_answer_to_any_question_of_an_article_tears_a_paragraph_or_a_list(path: Path, space: Space) -> None:
    article = parse_article(path.read_text(encoding="utf-8"), path.name)
    for question in (article.title, *article.questions):
        for passage in read_passages(path.stem):
            answer = extract_answer(question, passage, space)
            assert answer
            assert find_torn(answer, passage) == []


ANSWERS = [
    (
        "reset-password",
        "How do I reset my password?",
        ["Set a new password with Forgot password? on the sign-in page.", "works for 60 minutes", "1. Open", "4. Type",
         "signed out on every other device"],
    ),
    ("plans-and-prices", "How much does Pro cost?", ["- Pro: $9 per member a month", "tax is added", "ten members"]),
    ("plans-and-prices", "What does Business cost per month?", ["- Business: $19 per member a month", "- Free: $0"]),
    (
        "export-pro",
        "How do I export a project?",
        ["On the Pro plan you can export up to 20", "1. Open", "4. Choose Start export.", "arrives by e-mail"],
    ),
    ("export-pro", "How long does the download link of an export work?", ["On the Pro plan", "works for 24 hours"]),
    ("export-free", "How do I get a CSV file?", ["On the Free plan", "4. Choose Download."]),
    ("invite-members", "How do I invite a colleague?", ["Owners and admins", "valid for 7 days", "4. Choose Send inv"]),
    ("two-factor", "I have a new phone, how do I move my authenticator?", ["To change phones, open", "recovery code"]),
    ("cancel-subscription", "How do I cancel my subscription?", ["The owner cancels", "3. Choose Confirm", "Keep"]),
    ("calendar-sync", "How do I connect Google Calendar?", ["is part of Pro and Business", "4. Choose Connect."]),
    ("payment-methods", "Which payment methods do you accept?", ["Visa, Mastercard", "Bank transfer is possible for"]),
    ("storage-free", "How much storage do we have?", ["The Free plan has 2 GB of storage"]),
    ("restore-deleted", "How do I restore a project?", ["30 days", "3. Choose Restore", "by an owner or admin"]),
    ("change-roles", "Which roles are there?", ["There are four roles:\n- Owner", "- Guest: only the projects"]),
    ("change-roles", "How do I hand over ownership?", ["To hand over ownership, the owner opens"]),
    ("refund-policy", "How long does a refund take to arrive?", ["within 10 business days", "credit note"]),
]  # fmt: skip


@CHANNELS
@pytest.mark.parametrize(("slug", "question", "expected"), ANSWERS)
def test_an_answer_holds_what_was_asked_its_condition_and_all_steps(
    slug: str, question: str, expected: list[str], space: Space
) -> None:
    answer = extract_answer(question, read_passages(slug)[0], space) or ""
    assert [words for words in expected if words not in answer] == []


def test_a_wish_for_brevity_leaves_out_whole_paragraphs_around_the_answer() -> None:
    [passage] = read_passages("export-pro")
    answer = extract_answer("How do I export a project?", passage, Space(300, 1600)) or ""
    assert len(answer) > 300
    assert "Attachments are not part" not in answer
    assert "1. Open" not in (extract_answer("How many rows may an export have?", passage, Space(300, 1600)) or "")


def test_a_paragraph_its_author_broke_into_lines_is_one() -> None:
    passage = "The trial lasts\n14 days. It needs\nno card.\n\n" + "Other words stand here. " * 20
    assert (
        extract_answer("How long is the trial?", passage, Space(60, 1600))
        == "The trial lasts 14 days. It needs no card."
    )


def test_an_example_is_not_quoted_without_what_it_is_an_example_of() -> None:
    passage = (
        f"Seats have a price.\n\n- Small: $5\n- Large: $7\n\nExample: two people cost $10.\n\n{'Other words. ' * 40}"
    )
    answer = extract_answer("How much do two people cost?", passage, Space(60, 1600))
    assert answer == "Seats have a price.\n\n- Small: $5\n- Large: $7\n\nExample: two people cost $10."


def test_sections_that_stand_together_keep_their_headings() -> None:
    passage = "## Lost\n\nAsk the owner for a new key.\n\n## Broken\n\nSend the key back."
    assert extract_answer("key", passage, Space(300, 1600)) == (
        "Lost\nAsk the owner for a new key.\n\nBroken\nSend the key back."
    )


def test_what_may_be_half_a_piece_is_left_out() -> None:
    passage = "Exports take an hour.\n\n1. Open the page.\n2. Choose the fi"
    assert extract_answer("How do I export?", passage, Space(300, 1600), is_cut=True) == "Exports take an hour."
    assert extract_answer("How do I export?", "1. Open the page.\n2. Choo", Space(300, 1600), is_cut=True) is None


def test_no_answer_is_longer_than_the_channel_takes() -> None:
    for passage in read_passages("export-pro"):
        assert len(extract_answer("How do I export a project?", passage, Space(60, 200)) or "") <= 200
        assert extract_answer("How do I export a project?", passage, Space(40, 40)) is None


def test_the_shortest_answer_is_one_whole_piece_and_without_addresses_where_none_may_stand() -> None:
    passage = "See https://other.example for the export.\n\nThe export takes an hour."
    assert quote_best("export", passage, Space(300, 1600, links=False)) == "The export takes an hour."


@pytest.mark.parametrize(
    ("slug", "question", "expected"),
    [
        ("reset-password", "How do I reset my password?", "on the sign-in page"),
        ("plans-and-prices", "How much does Pro cost?", "$9 per member a month"),
        ("download-invoices", "Where can I download my invoice?", "Invoices are under Settings > Billing > Invoices"),
        ("download-invoices", "How do I send invoices by e-mail?", "Invoice e-mail"),
        ("change-roles", "How do I remove a member?", "3. Choose Remove member."),
        ("two-factor", "How do I turn on two-factor authentication?", "2. Scan the QR code"),
        ("export-business", "Can we get exports on a schedule?", "Export the whole workspace on the Business plan:\n"),
    ],
)
async def test_a_chat_message_answers_from_the_section_that_was_meant(slug: str, question: str, expected: str) -> None:
    desk = Desk(make_brief(question), [sample_result(slug)])
    sent = await desk.run()
    assert sent["kind"] == "answer"
    assert expected in sent["body"]
    assert desk.problems == ()
