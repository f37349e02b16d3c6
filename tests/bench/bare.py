"""The least that Django views can do for the same rows: no key, no checks, no masking, no look-up by key.

They parse the body, run the same INSERTs (or the one SELECT of a fetch) in one transaction, and answer.
"""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops.settings")
django.setup()
settings.MIDDLEWARE = []
settings.ROOT_URLCONF = "tests.bench.bare"
application = WSGIHandler()

from django.db import connection, transaction  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

from feedback.models import Call, FeedbackEvent, InboxItem, Seen, Vote  # noqa: E402
from feedback.services import arrivals, calls, events  # noqa: E402

SEEN = ("project_id", "kind", "client_id_hash", "body_hash", "uid", "received_on")
FETCH = """
SELECT a.path, n.number, c.spec, c.inputs, c.blob_sha, k.sha, k.message, v.created_at
FROM prompts_label l JOIN prompts_artifact a ON a.id = l.artifact_id JOIN prompts_version v ON v.id = l.version_id
JOIN prompts_content c ON c.id = v.content_id JOIN prompts_commit k ON k.id = v.commit_id
JOIN prompts_versionnumber n ON n.version_id = v.id
WHERE a.project_id = %s AND a.path = %s AND l.name = %s AND a.archived_at IS NULL
"""


def _items(request: HttpRequest) -> list[dict[str, Any]]:
    body = json.loads(request.body)
    return body.get("batch", [body])


def _seen(kind: int, day: str, count: int) -> tuple[list[Any], list[tuple[Any, ...]]]:
    uids = [uuid.uuid4().hex for _ in range(count)]
    return uids, [(1, kind, os.urandom(16), b"0" * 16, uid, day) for uid in uids]


@csrf_exempt
def post_calls(request: HttpRequest) -> JsonResponse:
    items, now = _items(request), timezone.now()
    moment, day = arrivals.time_value(now), connection.ops.adapt_datefield_value(now.date())
    uids, seen = _seen(1, day, len(items))
    rows = [
        (
            uid, 1, item["id"], moment, moment, 0, None, item["prompt"], "", item["label"], item["session"],
            item["end_user"][:32], item["environment"], item["model"], json.dumps(item["inputs"]),
            json.dumps(item["output"]), json.dumps(item["contexts"]), None, None, "", item["latency_ms"], 1,
            item["tokens_in"], item["tokens_out"], item["cost_usd"], "", False, 0,
        )
        for uid, item in zip(uids, items, strict=True)
    ]  # fmt: skip
    with transaction.atomic():
        arrivals.insert(Seen, SEEN, seen)
        arrivals.insert(Call, calls.COLUMNS, rows)
    return JsonResponse({"ids": [str(uid) for uid in uids]}, status=201)


@csrf_exempt
def post_feedback(request: HttpRequest) -> JsonResponse:
    items, now = _items(request), timezone.now()
    moment, day = arrivals.time_value(now), connection.ops.adapt_datefield_value(now.date())
    uids, seen = _seen(2, day, len(items))
    pairs = list(zip(uids, items, strict=True))
    with transaction.atomic():
        arrivals.insert(Seen, SEEN, seen)
        arrivals.insert(FeedbackEvent, events.COLUMNS, [
            (uid, 1, item["id"], item["call"], "", "", item["end_user"][:34], "person", "thumbs", "", -1, "",
             item["comment"], None, "", None, None, moment, False, 0)
            for uid, item in pairs
        ])  # fmt: skip
        arrivals.insert(Vote, events.VOTE_COLUMNS, [
            (1, item["call"], item["end_user"][:34], "thumbs", "", -1, uid, moment, 0) for uid, item in pairs
        ], events.VOTE_CHANGES)  # fmt: skip
        arrivals.insert(InboxItem, events.ITEM_COLUMNS, [
            (uid, 1, item["call"], "open", -1, None, item["comment"], False, 1, moment, moment, 0)
            for uid, item in pairs
        ], events.ITEM_CHANGES)  # fmt: skip
    return JsonResponse({"ids": [str(uid) for uid in uids]}, status=201)


def get_prompt(request: HttpRequest, name: str) -> JsonResponse:
    with connection.cursor() as cursor:
        cursor.execute(FETCH, [1, name, "production"])
        row = cursor.fetchone()
    return JsonResponse({"name": row[0], "version": row[1], "spec": row[2], "blob": bytes(row[4]).hex()})


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


urlpatterns = [
    path("healthz", healthz),
    path("api/v1/calls", post_calls),
    path("api/v1/feedback", post_feedback),
    path("api/v1/prompts/<path:name>", get_prompt),
]
