"""`python -m tests.bench.sdk_loop URL COUNT IN_FLIGHT`: nothing but the SDK's async client under a semaphore."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import openai


async def main(url: str, count: int, in_flight: int) -> dict[str, float]:
    async with openai.AsyncOpenAI(base_url=url, api_key="sk-of-the-bench", max_retries=0) as client:
        window = asyncio.Semaphore(in_flight)

        async def call(number: int) -> None:
            async with window:
                answer = await client.chat.completions.create(
                    model="model-1", messages=[{"role": "user", "content": f"loop {number}"}]
                )
                assert answer.choices[0].message.content == f"echo: loop {number}"

        await asyncio.gather(
            *(call(-1 - number) for number in range(in_flight))
        )  # connections are open, as in a worker
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(call(number) for number in range(count)))
        return {"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
