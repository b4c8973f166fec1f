"""Keeps what messages are judged by as fresh as the table of examples; what was learnt is kept beside it."""

import asyncio
import logging
from collections.abc import Sequence
from zipfile import BadZipFile

import numpy as np

from agent.assess import Assessor
from agent.classify import Classifier
from agent.embeddings import Embedder, EmbeddingUnavailable
from agent.fit import Fit, Vector, digest_examples
from db import examples
from db.examples import Example
from db.pool import UNAVAILABLE, Pool, acquire

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
BATCH = 64  # examples embedded between two commits


class Learner:
    """Gives an assessor the classifier of the examples as they are now.

    embedder: asked for each example once and for every burst; None where there is none that answers in milliseconds.
    """

    def __init__(self, pool: Pool, embedder: Embedder | None) -> None:
        self.pool = pool
        self.embedder = embedder
        self.stamp = ""

    async def open_assessor(self) -> Assessor:
        """An assessor that judges by words at once; `follow` teaches it the meanings and every later change."""
        async with acquire(self.pool) as conn:
            known = await examples.list_examples(conn)
        return Assessor(await self.learn(known or examples.read_shipped(), None))

    async def follow(self, assessor: Assessor) -> None:
        """Look for changes, for ever."""
        while True:
            try:
                await self.look(assessor)
            except UNAVAILABLE as error:
                log.warning("examples not read", extra={"error": type(error).__name__})
            except (ValueError, MemoryError) as error:  # what was learnt before is good enough to answer with
                log.error("not learnt from the examples", extra={"error": type(error).__name__})
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self, assessor: Assessor) -> bool:
        """Learn anew if an example changed since the last look; whether one did."""
        async with acquire(self.pool) as conn:
            stamp = await examples.find_stamp(conn)
            if stamp == self.stamp:
                return False
            known = await examples.list_examples(conn) or examples.read_shipped()
        words, vectors = await self.learn(known, None), await self.load_vectors(known)
        whole = words if vectors is None else await self.learn(known, vectors)
        assessor.use(whole, self.embedder, words)
        self.stamp = stamp
        return True

    async def load_vectors(self, known: Sequence[Example]) -> Vector | None:
        """The examples' vectors in their order, those that are missing made first; None where there is no model."""
        if self.embedder is None:
            return None
        async with acquire(self.pool) as conn:
            made = await examples.list_vectors(conn, self.embedder.name)
        missing = [example for example in known if example.id not in made]
        try:
            for at in range(0, len(missing), BATCH):
                batch = missing[at : at + BATCH]
                vectors = await self.embedder.embed([example.text for example in batch])
                async with acquire(self.pool) as conn:
                    await examples.add_vectors(conn, self.embedder.name, [one.id for one in batch], vectors)
                made |= {one.id: vector for one, vector in zip(batch, vectors, strict=True)}
        except EmbeddingUnavailable as error:
            log.warning("examples judged by their words alone", extra={"error": str(error)})
            return None
        return np.array([made[example.id] for example in known], dtype=np.float32)

    async def learn(self, known: Sequence[Example], vectors: Vector | None) -> Classifier:
        """The classifier of these examples: as it was kept, or learnt in a thread and kept for the next process."""
        model = self.embedder.name if self.embedder is not None and vectors is not None else None
        digest = digest_examples(known, model)
        async with acquire(self.pool) as conn:
            kept = await examples.find_fit(conn, digest)
        fit = read_fit(kept)
        if fit is None:
            classifier = await asyncio.to_thread(Classifier.learn, known, vectors)
            async with acquire(self.pool) as conn:
                await examples.keep_fit(conn, digest, classifier.fit.pack())
            return classifier
        return Classifier(known, fit, vectors)


def read_fit(kept: bytes | None) -> Fit | None:
    try:
        return Fit.unpack(kept) if kept is not None else None
    except (ValueError, KeyError, OSError, BadZipFile):
        return None
