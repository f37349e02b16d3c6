"""A default installation is secure: secrets are made once and kept, debug is off, sign-up is closed, TLS hardens."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from llmops import settings as product

SHOWN = [
    "DEBUG", "SECRET_KEY", "LLMOPS_SEALING_KEYS", "ALLOWED_HOSTS", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE",
    "SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE",
    "SECURE_HSTS_SECONDS", "LLMOPS_SIGNUP_OPEN", "LLMOPS_EGRESS_ALLOW", "CSRF_TRUSTED_ORIGINS", "USE_X_FORWARDED_HOST",
]  # fmt: skip

# Fixed, because it names a test, and every process of a test run must know the test by the same name.
SEALING_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


SHOW = f"from llmops import settings as s; import json; print(json.dumps({{n: getattr(s, n, None) for n in {SHOWN}}}))"
CHECK = """
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "check", "--deploy", "--tag", "security", "--fail-level", "WARNING"])
"""


def start(folder: Path, code: str = SHOW, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LLMOPS", "DATABASE", "REDIS"))}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=clean | {"LLMOPS_DATA_DIR": str(folder)} | environment,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def shown(folder: Path, **environment: str) -> dict[str, Any]:
    ended = start(folder, **environment)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)  # type: ignore[no-any-return]


def test_processes_that_start_at_once_agree_on_their_secrets(tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: shown(tmp_path), range(6)))
    assert len({each["SECRET_KEY"] for each in found}) == 1
    assert len({tuple(each["LLMOPS_SEALING_KEYS"]) for each in found}) == 1
    for name in ["secret_key", "sealing_keys"]:
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    first = found[0]
    assert len(first["SECRET_KEY"]) >= 64
    assert (first["DEBUG"], first["LLMOPS_SIGNUP_OPEN"], first["LLMOPS_EGRESS_ALLOW"]) == (False, False, [])
    assert "*" not in first["ALLOWED_HOSTS"]
    assert not first["USE_X_FORWARDED_HOST"]


def test_two_installations_have_two_secrets(tmp_path: Path) -> None:
    one, two = shown(tmp_path / "one"), shown(tmp_path / "two")
    assert one["SECRET_KEY"] != two["SECRET_KEY"]
    assert one["LLMOPS_SEALING_KEYS"] != two["LLMOPS_SEALING_KEYS"]


def test_behind_tls_cookies_are_bound_to_the_host_and_secure(tmp_path: Path) -> None:
    found = shown(tmp_path, LLMOPS_BASE_URL="https://llmops.example/")
    assert found["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert found["CSRF_COOKIE_NAME"].startswith("__Host-")
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is found["SESSION_COOKIE_HTTPONLY"] is True
    assert found["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert found["CSRF_TRUSTED_ORIGINS"] == ["https://llmops.example"]
    assert "llmops.example" in found["ALLOWED_HOSTS"]


def test_djangos_deployment_check_is_clean_behind_tls(tmp_path: Path) -> None:
    ended = start(tmp_path, CHECK, DJANGO_SETTINGS_MODULE="llmops.settings", LLMOPS_BASE_URL="https://llmops.example")
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LLMOPS_SECRET_KEY", "changeme", "at least 32"),
        ("LLMOPS_SEALING_KEYS", "not-a-key", "is not a Fernet key"),
        ("LLMOPS_SEALING_KEYS", f"{SEALING_KEY},short", "key 2 is not a Fernet key"),
    ],
)
def test_a_useless_secret_stops_the_start_and_says_why(tmp_path: Path, variable: str, value: str, said: str) -> None:
    ended = start(tmp_path, **{variable: value})
    assert ended.returncode != 0
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_emptied_secret_file_stops_the_start_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()
    ended = start(tmp_path)
    assert ended.returncode != 0
    assert "restore it from your backup" in ended.stderr


def test_every_secret_can_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "given").write_text("from a file\n")
    monkeypatch.setenv("LLMOPS_X_FILE", str(tmp_path / "given"))
    assert product.secret("LLMOPS_X") == "from a file"
    monkeypatch.delenv("LLMOPS_X_FILE")
    assert product.secret("LLMOPS_X") is None


def test_the_data_folder_is_not_served(db: None) -> None:
    folders = [one[1] if isinstance(one, tuple) else one for one in product.STATICFILES_DIRS]
    roots = [Path(folder).resolve() for folder in folders]
    assert not any(root == product.DATA_DIR or root in product.DATA_DIR.parents for root in roots)
