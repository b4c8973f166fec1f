"""What one chaos run does, and what its customers write: all of it drawn from one seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

QUESTIONS = (
    "I forgot my password. How do I reset it?",
    "How do I turn on two-factor authentication?",
    "How do I invite a colleague to my workspace?",
    "Which keyboard shortcuts are there?",
    "How do I connect my calendar?",
    "How do I create a recurring task?",
    "How do I import a spreadsheet?",
    "Where do I see the audit log?",
    "How do I set my time zone?",
    "How do webhooks work?",
    "How do I add a guest to a board?",
    "How do I turn off notifications?",
)
"""What the sample company's articles answer; no customer asks the same thing twice."""
GREETINGS = ("Hello", "Hi", "Good morning", "Hello there")
"""Answered with the same words each time, so that a look-up by text could take one reply for another."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. Times are seconds, shares 0 to 1."""

    messages: int
    seed: int
    webs: int = 2
    workers: int = 3
    calm: float = 4.0
    """Between one blow and the next, on average."""
    form_share: float = 0.05
    """Messages that come as a web form."""
    duplicate_share: float = 0.05
    """Messages that are delivered again although they were acknowledged."""
    faults: dict[str, float] = field(
        default_factory=lambda: {
            "drop": 0.02, "lose": 0.005, "accept_500": 0.003, "fail_500": 0.005, "refuse_429": 0.005,
        }
    )  # fmt: skip
    """What sends meet at the vendor; drop is the one accepted whose answer is lost."""
    lease: float = 5.0
    index_lag: float = 10.0
    """What the product is told about the vendor's index."""
    true_index_lag: float = 12.0
    """What it is at most: a little more, so that now and then a second try is a duplicate, which must be flagged."""
    debounce: float = 1.0
    lanes_at_once: int = 30
    """In the hands of one worker: what its death puts off until its lease is over."""
    signature: str = "This is an automatic answer of the Tidefern desk. " * 29
    """Under every reply; so long that a greeting still fits one message of the vendor and an answer takes two."""
    rate: float = 70.0
    """Messages a second, as long as the backlog allows it."""
    bursts_at_once: int = 100
    backlog: int = 600
    """Waiting messages beyond which the customers hold back, so that the run measures the desk and not its queue."""
    stall: float = 120.0
    """Without any message acknowledged for so long the run ends: something cannot start."""
    drain: float = 300.0
    """How long what is left may take once the last message was acknowledged and the blows have ended."""


@dataclass(slots=True)
class CustomerMessage:
    """One message as a customer sent it. Times are seconds since the epoch."""

    customer: str
    """E.164 number, or the address of a form's sender."""
    sid: str
    """The vendor's id, or the form's idempotency key."""
    body: str
    tried_at: float = 0.0
    """When it was first posted."""
    acked_at: float | None = None
    tries: int = 0
    page: str | None = None
    """Path of the ticket page, for a form."""

    @property
    def is_form(self) -> bool:
        return "@" in self.customer


@dataclass(frozen=True, slots=True)
class Burst:
    """Messages of one customer, with the pause before each."""

    messages: tuple[CustomerMessage, ...]
    pauses: tuple[float, ...]


def make_bursts(plan: Plan) -> list[Burst]:
    """Every burst of the run, in the order in which they begin."""
    rng = random.Random(plan.seed)
    forms = round(plan.messages * plan.form_share)
    bursts = [make_form(number, rng) for number in range(forms)]
    left, number = plan.messages - forms, 0
    while left > 0:
        phone = f"+4915{number:09d}"
        for burst in make_customer(phone, rng):
            taken = burst.messages[:left]
            left -= len(taken)
            if taken:
                bursts.append(Burst(taken, burst.pauses[: len(taken)]))
        number += 1
    rng.shuffle(bursts)
    return bursts


def make_form(number: int, rng: random.Random) -> Burst:
    message = CustomerMessage(f"customer{number}@example.com", draw_hex(rng), rng.choice(QUESTIONS))
    return Burst((message,), (0.0,))


def make_customer(phone: str, rng: random.Random) -> Iterator[Burst]:
    """Two to four bursts of one to four messages, whose questions never repeat."""
    questions = rng.sample(QUESTIONS, len(QUESTIONS))
    for _ in range(rng.randint(2, 4)):
        count = rng.choices((1, 2, 3, 4), (5, 3, 1, 1))[0]
        greets = rng.random() < 0.4
        texts = [rng.choice(GREETINGS) if greets or number else questions.pop() for number in range(count)]
        messages = tuple(CustomerMessage(phone, "SM" + draw_hex(rng), text) for text in texts)
        yield Burst(messages, tuple(rng.random() * 0.8 if number else 0.0 for number in range(count)))


def draw_hex(rng: random.Random) -> str:
    return UUID(int=rng.getrandbits(128)).hex
