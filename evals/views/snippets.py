"""API calls that do what a page does, ready to copy."""

from __future__ import annotations

import json

from django.conf import settings

HEADERS = '-H "Authorization: Bearer $LLMOPS_KEY" \\\n  -H "Content-Type: '


def create_dataset() -> str:
    return _json("/datasets", {"slug": "golden-mails", "name": "Golden mails"})


def add_examples(slug: str) -> str:
    url = f"{settings.LLMOPS_BASE_URL}/api/v1/datasets/{slug}/examples"
    return f'curl -X POST {url} \\\n  {HEADERS}application/x-ndjson" --data-binary @examples.jsonl'


def examine(slug: str) -> str:
    return _json(f"/datasets/{slug}/doctor", {"threshold": 0.8, "last_runs": 5})


def ask_for_rows(slug: str) -> str:
    return _json(f"/datasets/{slug}/proposals", {"description": "Mails that mix two concerns", "count": 5})


def start_run(dataset: str = "golden-mails", prompt: str = "mail/classify") -> str:
    return _json(
        "/runs",
        {"prompt": prompt, "label": "production", "dataset": dataset, "evaluators": [{"metric": "exact_match"}]},
    )


def start_matrix() -> str:
    return _json(
        "/runs",
        {
            "prompt": "mail/classify",
            "dataset": "golden-mails",
            "evaluators": [{"metric": "exact_match"}],
            "max_cost_usd": 5,
            "matrix": {"versions": [1, "production"], "models": ["model-a", "model-b"]},
        },
    )


def measure_judge(slug: str) -> str:
    return _json(f"/evaluators/{slug}/certificates", {"run": "run_…", "column": "human", "source": "two reviewers"})


def board() -> str:
    url = f"{settings.LLMOPS_BASE_URL}/api/v1/runs/board?judge=better"
    return f'curl {url} \\\n  -H "Authorization: Bearer $LLMOPS_KEY"'


def create_schedule() -> str:
    run = {
        "prompt": "mail/classify",
        "label": "production",
        "dataset": "golden-mails",
        "evaluators": [{"metric": "exact_match"}],
        "max_cost_usd": 2,
    }
    return _json(
        "/schedules",
        {"name": "Nightly", "cron": "0 3 * * 1-5", "time_zone": "Europe/Berlin", "on_change": ["dataset"], "run": run},
    )


def _json(path: str, body: dict[str, object]) -> str:
    url = f"{settings.LLMOPS_BASE_URL}/api/v1{path}"
    return f"curl -X POST {url} \\\n  {HEADERS}application/json\" \\\n  -d '{json.dumps(body, ensure_ascii=False)}'"
