"""A worker process that takes lanes in hand and does not get done: python -m bench.queue.victim URL LEASE_SECONDS."""

import asyncio
import signal
import sys
from datetime import timedelta

from bench.queue.desk import Together, make_worker
from db.pool import open_pool
from db.queue import ClaimedLane


class Slow(Together):
    """Takes an hour."""

    async def run(self, _: ClaimedLane) -> None:
        await asyncio.sleep(3600)


async def main(url: str, lease_seconds: float) -> None:
    async with open_pool(url, size=6) as pool:
        worker = make_worker(
            pool, Slow(pool), name="victim", lease=timedelta(seconds=lease_seconds), grace=timedelta(seconds=0.5)
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
