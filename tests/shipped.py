"""The classifier of the shipped examples, learnt once per machine and change of the code, for tests and benches."""

import os
import tempfile
from functools import cache
from pathlib import Path

from agent.classify import Classifier
from agent.fit import Fit, digest_examples
from db.examples import find_fit, keep_fit, read_shipped
from db.pool import Connection

FOLDER = Path(tempfile.gettempdir()) / f"deskhand-fits-{os.getuid()}"


@cache
def load_classifier() -> Classifier:
    """By words alone, as it is where there is no embedding model."""
    known = read_shipped()
    kept = FOLDER / f"{digest_examples(known, None)}.npz"
    if kept.is_file():
        return Classifier(known, Fit.unpack(kept.read_bytes()))
    learnt = Classifier.learn(known)
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    draft = kept.with_suffix(f".{os.getpid()}")
    draft.write_bytes(learnt.fit.pack())
    draft.replace(kept)
    return learnt


async def install_fit(conn: Connection) -> None:
    """Keep it in a database, so that the processes started on it need not learn it again."""
    digest = digest_examples(read_shipped(), None)
    if await find_fit(conn, digest) is None:
        await keep_fit(conn, digest, load_classifier().fit.pack())
