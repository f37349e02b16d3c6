"""A load client in its own process: keeps `connections` requests in flight for some seconds and prints what happened.

python -m tests.bench.load URL KIND CONNECTIONS SECONDS BATCH KEY
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from typing import Any

import aiohttp

ANSWER = "Thank you for your patience! Your parcel is on its way and should reach you within two working days. " * 4
QUESTION = "Order G-20633 is five days late. Please cancel it and pay me back. I have written to you twice already."
PREFIX = f"{time.time_ns():x}"
_numbers = itertools.count()


def call() -> dict[str, Any]:
    number = next(_numbers)
    return {
        "id": f"{PREFIX}-{number}",
        "prompt": "support/reply",
        "label": "production",
        "session": f"chat-{number % 1000}",
        "end_user": f"user-{number % 500}",
        "environment": "production",
        "model": "small-4.1",
        "inputs": {"question": QUESTION},
        "output": ANSWER,
        "contexts": ["Refunds are paid within two days.", "Parcels can be followed online."],
        "latency_ms": 812,
        "tokens_in": 210,
        "tokens_out": 96,
        "cost_usd": 0.00041,
    }


def feedback() -> dict[str, Any]:
    number = next(_numbers)
    return {
        "id": f"{PREFIX}-{number}",
        "call": f"{PREFIX}-{number % 100_000}",
        "thumbs": "down",
        "comment": "I asked for a refund. Why do I get tracking?",
        "end_user": f"user-{number % 500}",
    }


async def main(base: str, kind: str, connections: int, seconds: float, batch: int, key: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    make = {"calls": call, "feedback": feedback}.get(kind)
    url = f"{base}/api/v1/{'prompts/support/reply' if make is None else kind}"
    latencies: list[float] = []
    failures: dict[int, int] = {}
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        end = time.perf_counter() + seconds

        async def one() -> None:
            while (began := time.perf_counter()) < end:
                if make is None:
                    request = session.get(url)
                else:
                    body = make() if batch == 1 else {"batch": [make() for _ in range(batch)]}
                    request = session.post(url, data=json.dumps(body).encode())
                async with request as response:
                    await response.read()
                    if response.status not in {200, 201}:
                        failures[response.status] = failures.get(response.status, 0) + 1
                latencies.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(connections)))
        took = time.perf_counter() - began
    latencies.sort()
    return {
        "requests": len(latencies),
        "seconds": took,
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p95_ms": 1000 * latencies[int(len(latencies) * 0.95)],
        "p99_ms": 1000 * latencies[int(len(latencies) * 0.99)],
        "failures": failures,
    }


if __name__ == "__main__":
    base, kind, connections, seconds, batch, key = sys.argv[1:]
    print(json.dumps(asyncio.run(main(base, kind, int(connections), float(seconds), int(batch), key))))
