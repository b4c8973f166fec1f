"""A model behind a network as all workers share it: left alone while it fails, asked by no more than it bears."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from agent.models.base import ModelFailure, ModelReply, Prompt
from agent.models.openai import OpenAIModel
from db import providers
from db.pool import Pool, acquire
from db.providers import ProviderHealth

log = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
"""How old what is known of the providers may be: a worker asks the database so often, however many turns it runs."""
PATIENCE = 3
"""Failures in a row after which a provider is left alone."""
FINAL = frozenset(("quota", "unauthorised"))
"""No waiting mends these: somebody has to pay, or to give us a key."""
BROKEN = frozenset(("unavailable", "timeout", "malformed"))
BUSY = timedelta(seconds=5)
"""What a provider is given that says it has too much to do, and not for how long."""
PROBE = timedelta(seconds=30)
"""How long one worker may try a provider that was left alone before the next may."""
GROW_SECONDS = 20.0
SHORTEST = timedelta(seconds=3)
"""With less of its time left after a wait, a call is not made: that it takes longer is not the provider's fault."""


class Gate:
    """Lets so many calls through at once: half as many after the provider said it was too much, and one more every
    GROW_SECONDS since."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.base, self.since = float(most), 0.0
        self.inside = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    @property
    def width(self) -> int:
        return min(self.most, int(self.base + (time.monotonic() - self.since) / GROW_SECONDS))

    def narrow(self) -> None:
        """Half of what went through until now."""
        self.base, self.since = max(1.0, min(self.width, self.inside) / 2), time.monotonic()

    @asynccontextmanager
    async def hold(self, patience: timedelta) -> AsyncIterator[timedelta]:
        """A place for the length of the block, in the order they came; gives what is left of the patience. Raises
        ModelFailure where no place was free in time."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(patience.total_seconds()):
                await self.enter()
        except TimeoutError as error:
            raise ModelFailure("crowded", f"no place was free within {patience}") from error
        try:
            left = patience - timedelta(seconds=time.monotonic() - began)
            if left < min(SHORTEST, patience / 2):
                raise ModelFailure("crowded", "a place was free too late")
            yield left
        finally:
            self.leave()

    async def enter(self) -> None:
        if not self.waiting and self.inside < self.width:
            self.inside += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()  # the place was given to us just as we left
            elif turn in self.waiting:
                self.waiting.remove(turn)
            raise

    def leave(self) -> None:
        self.inside -= 1
        while self.waiting and self.inside < self.width:
            turn = self.waiting.popleft()
            if not turn.done():  # else whoever waited there has just left
                self.inside += 1
                turn.set_result(None)


class Board:
    """What is known of all providers, at most FRESH_SECONDS old. One per worker."""

    def __init__(self, pool: Pool, worker: str) -> None:
        self.pool, self.worker = pool, worker
        self.known: Mapping[str, ProviderHealth] = {}
        self.is_new = True
        """Whether it has not looked yet: the settings may be others than those of the process before."""
        self.read_at = self.asked_at = -FRESH_SECONDS

    async def look(self, provider: str) -> ProviderHealth | None:
        """None where it never failed."""
        if time.monotonic() - self.asked_at >= FRESH_SECONDS:
            self.asked_at = time.monotonic()  # first, so that the others of this moment do not ask too
            async with acquire(self.pool) as conn:
                self.known = await providers.list_health(conn)
                if self.is_new and any(health.is_refused for health in self.known.values()):
                    await providers.forgive_refusals(conn)
                    self.known = await providers.list_health(conn)
            self.is_new = False
            self.read_at = time.monotonic()
        return self.known.get(provider)

    def forget(self) -> None:
        """Ask anew the next time."""
        self.asked_at = -FRESH_SECONDS

    async def admit(self, provider: str) -> ProviderHealth | None:
        """What is known of it. Raises ModelFailure while it wants to be waited for, or is left alone."""
        health = await self.look(provider)
        if health is None:
            return None
        now = health.read_at + timedelta(seconds=time.monotonic() - self.read_at)
        if health.not_before is not None and health.not_before > now:
            raise ModelFailure("rate_limited", "it asked us to wait", retry_after=health.not_before - now)
        until = health.opened_until if health.state == "open" else None
        if until is not None and (until > now or not await self.win_probe(provider)):
            raise ModelFailure("left_alone", "it failed too often just now")
        return health

    async def win_probe(self, provider: str) -> bool:
        async with acquire(self.pool) as conn:
            won = await providers.win_probe(conn, provider, worker=self.worker, for_at_most=PROBE)
        self.forget()
        return won

    async def note_failure(self, provider: str, failure: ModelFailure) -> None:
        """Count what the provider is to blame for; whatever else went wrong shows that it answers."""
        is_final = failure.code in FINAL
        wait = failure.retry_after if failure.code in ("rate_limited", "unavailable") else None
        if failure.code == "rate_limited":
            wait = wait or BUSY
        elif not is_final and (failure.code not in BROKEN or failure.blames_request):
            await self.note_answer(provider)
            return
        async with acquire(self.pool) as conn:
            state = await providers.note_failure(
                conn, provider, failure.code, wait=wait, is_final=is_final, patience=PATIENCE
            )
        self.forget()
        log.warning("provider failed", extra={"provider": provider, "failure": failure.code, "state": state})

    async def note_answer(self, provider: str) -> None:
        """It answered; written only where that is news."""
        health = self.known.get(provider)
        if health is not None and (health.state != "closed" or health.failures > 0):
            async with acquire(self.pool) as conn:
                await providers.note_answer(conn, provider)
            self.forget()
            log.info("provider answers again", extra={"provider": provider})

    async def note_features(self, provider: str, features: frozenset[str]) -> None:
        for feature in features:
            async with acquire(self.pool) as conn:
                await providers.note_refused_feature(conn, provider, feature)
            self.forget()


class Provider:
    """`model` as all workers share it: a model like any other, which fails at once while it is to be left alone."""

    def __init__(self, model: OpenAIModel, board: Board, gate: Gate) -> None:
        self.model, self.board, self.gate = model, board, gate

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name

    async def reply(self, request: Prompt) -> ModelReply:
        """Answer one step within `request.timeout`, the wait for a place included. Raises ModelFailure."""
        async with self.gate.hold(request.timeout) as left:
            health = await self.board.admit(self.model.provider)
            if health is not None:
                self.model.dropped |= health.caps
            return await self.ask(replace(request, timeout=left))

    async def ask(self, request: Prompt) -> ModelReply:
        provider, known = self.model.provider, self.model.dropped
        try:
            reply = await self.model.reply(request)
        except ModelFailure as failure:
            if failure.code == "rate_limited":
                self.gate.narrow()
            await self.board.note_failure(provider, failure)
            raise
        finally:
            await self.board.note_features(provider, self.model.dropped - known)
        await self.board.note_answer(provider)
        return reply
