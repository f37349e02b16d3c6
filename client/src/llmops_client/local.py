"""`--local`: a platform of one's own for one evaluation, in a scratch folder with SQLite, gone afterwards."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from llmops_client.errors import Problem
from llmops_client.rest import Server

# What an operator may have set for a platform that serves people: nothing of it may reach the scratch one.
NOT_OURS = ("LLMOPS_", "DATABASE_URL", "REDIS_URL", "PORT", "DJANGO_", "PYTEST_", "SENTRY_", "EMAIL_")
KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "openai-compatible": "OPENAI_API_KEY"}
SLUG, ADMIN = "local", "local@example.com"
START_S, STOP_S = 120.0, 20.0


@dataclass(frozen=True, slots=True)
class Provider:
    """Where models are asked. `key_from` names the environment variable that holds the provider's key."""

    kind: str
    url: str = ""
    model: str = ""
    key_from: str = ""


class LocalPlatform:
    """`with LocalPlatform(provider, say) as server:` starts `manage.py up` and waits until it answers."""

    def __init__(self, provider: Provider, say: Callable[[str], None]) -> None:
        self.home = home()
        self.python = _python(self.home)
        self.provider, self.say = provider, say
        self.folder = Path(tempfile.mkdtemp(prefix="llmops-local-"))
        self.port = _free_port()
        self.up: subprocess.Popen[bytes] | None = None
        self.log = self.folder / "log.txt"

    def __enter__(self) -> Server:
        try:
            return self._started()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self.up is not None and self.up.poll() is None:
            self.up.send_signal(signal.SIGTERM)
            try:
                self.up.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.up.pid, signal.SIGKILL)
                self.up.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _started(self) -> Server:
        self.say(f"starting a platform from {self.home}")
        with self.log.open("wb") as log:
            self.up = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [self.python, "manage.py", "up"],
                cwd=self.home, env=self._environment(), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._wait()
        self._manage("create_project", SLUG, "--admin", ADMIN)
        self._connect(Server(self._url, self._manage("issue_key", SLUG, "--personal", ADMIN)))
        return Server(self._url, self._manage("issue_key", SLUG))

    def _connect(self, server: Server) -> None:
        key = os.environ.get(self.provider.key_from or KEYS.get(self.provider.kind, ""), "")
        body = {
            "name": "local", "kind": self.provider.kind, "base_url": self.provider.url,
            "model": self.provider.model, "is_default": True,
        }  # fmt: skip
        server.post("/connections", body | ({"key": key} if key else {}))

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
        address = urllib.parse.urlsplit(self.provider.url)
        allowed = f"{address.hostname}:{address.port or (443 if address.scheme == 'https' else 80)}"
        return kept | {
            "LLMOPS_DATA_DIR": str(self.folder / "data"),
            "PORT": str(self.port),
            "DJANGO_SETTINGS_MODULE": "llmops.settings",
            "PYTHONPATH": str(self.home),
            **({"LLMOPS_EGRESS_ALLOW": allowed} if self.provider.url else {}),
        }

    def _manage(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            [self.python, "manage.py", *arguments],
            cwd=self.home, env=self._environment(), capture_output=True, text=True, timeout=START_S, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Problem(f"manage.py {arguments[0]} failed: {done.stderr.strip()[-2000:]}")
        return done.stdout.strip()

    def _wait(self) -> None:
        assert self.up is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.up.poll() is not None:
                raise Problem(f"The platform did not start:\n{self._said()}")
            try:
                with urllib.request.urlopen(f"{self._url}/readyz", timeout=5):  # noqa: S310 - our own loopback address
                    return
            except (OSError, urllib.error.URLError):
                time.sleep(0.2)
        raise Problem(f"The platform did not answer within {START_S:g} seconds:\n{self._said()}")

    def _said(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def home() -> Path:
    """The platform's checkout: LLMOPS_HOME, else where the package that can be imported lies.

    :raises Problem: when there is none.
    """
    named = os.environ.get("LLMOPS_HOME", "")
    if named:
        folder = Path(named).resolve()
    else:
        spec = importlib.util.find_spec("llmops")
        folder = Path(spec.origin).resolve().parents[1] if spec and spec.origin else Path()
    if not (folder / "manage.py").is_file():
        raise Problem("--local needs the platform: set LLMOPS_HOME to its checkout (the folder with manage.py).")
    return folder


def _python(folder: Path) -> str:
    own = folder / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
