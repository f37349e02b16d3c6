"""The product's settings, in a scratch data folder."""

from __future__ import annotations

import os
import tempfile

_scratch = tempfile.mkdtemp(prefix="llmops-tests-")
os.environ["LLMOPS_DATA_DIR"] = os.environ.get("LLMOPS_TEST_DATA_DIR", _scratch)
os.environ.setdefault("LLMOPS_SQLITE_SYNCHRONOUS", "OFF")
os.environ.setdefault("LLMOPS_EMAIL_URL", "memorymail://")

from llmops.settings import *  # noqa: E402, F403
from llmops.settings import CELERY, DATA_DIR, DATABASES, ON_SQLITE, REDIS_URL, STATIC_ROOT  # noqa: E402

STATIC_ROOT.mkdir(parents=True, exist_ok=True)
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if ON_SQLITE:
    # A file, not memory: threads of the run engine and of live servers need their own connections.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    # Dropping a test database waits for the disk; on a busy machine that takes longer than a request may.
    DATABASES["default"]["OPTIONS"]["options"] = "-c lock_timeout=10s"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
if not REDIS_URL:
    # Messages of tests go nowhere: tests that want real workers start them with the product's own settings.
    CELERY = {**CELERY, "broker_url": "memory://", "broker_transport_options": {}}
