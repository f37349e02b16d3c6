"""`make bench`: runs, ingestion and metrics; or by name, such as `python -m tests.bench memory pages themes`."""

from __future__ import annotations

import sys
from importlib import import_module

USUAL = ("runs", "ingest", "metrics")
PARTS = ("runs", "ingest", "memory", "metrics", "inbox", "pages", "themes")


def main(wanted: list[str]) -> int:
    """Run the parts in their order; 1 when a bar is missed."""
    if unknown := set(wanted) - set(PARTS):
        print(f"There is no {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
        return 2
    found = [
        import_module(f"tests.bench.{part}").run() for part in PARTS if part in wanted or (not wanted and part in USUAL)
    ]
    return 1 if False in found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
