"""`make faults N=300 SEED=7`: a long list of faults from a seed, and the table; exit code 1 when anything was lost.

Without DATABASE_URL and REDIS_URL it runs on SQLite and the embedded queue; with both on PostgreSQL and Redis.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import nullcontext

from tests.faults import kinds, suite
from tests.faults.checker import Table
from tests.faults.systems import Platform
from tests.installation import fresh_services


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=suite.EXAMPLES, help="of each run; a fault meets one run")
    options = parser.parse_args()
    on_servers = bool(os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))
    started = time.monotonic()
    with fresh_services() if on_servers else nullcontext({}) as services, Platform.installation(**services) as it:
        platform = Platform(it)
        faults = kinds.planned(options.faults, options.seed, on_servers=on_servers)
        print(f"{len(faults)} faults, seed {options.seed}, {'PostgreSQL and Redis' if on_servers else 'SQLite'}")
        table = Table()
        try:
            suite.go_through(platform, faults, options.seed, table, examples=options.examples, aloud=True)
        finally:
            print(table.text(), flush=True)
        refused, left = platform.refused(), platform.left_over()
    print(f"{refused} late writes refused, {left} work items left over, {time.monotonic() - started:.0f} s")
    bad = left or any(table.total(name) for name in ("lost", "doubled", "overwritten", "strange"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
