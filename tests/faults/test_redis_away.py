"""Redis is killed and started empty again and again, and then stays away: calls and feedback are taken, runs go on and
new ones begin, nobody gets in who should not, and a guesser's attempts stay counted."""

from __future__ import annotations

import http.cookiejar
import os
import re
import socket
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.faults import resending
from tests.faults.systems import Platform
from tests.faults.test_killed_workers import WebWatch
from tests.faults.web import Sender
from tests.installation import ADMIN, Installation, free_port, wait_for

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.xdist_group("faults"),
    pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc"),
]

KILLS = int(os.environ.get("LLMOPS_TEST_KILLS", "5"))
EXAMPLES = 200
CLIENTS = 2
GUESSES = 6  # one more than allauth allows for an account in five minutes


class OwnRedis:
    """A Redis of the test's own that keeps nothing."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.answers, 20, "Redis did not start", every_s=0.02)

    def answers(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Browser:
    """Cookies, and the form of the sign-in page."""

    def __init__(self, it: Installation) -> None:
        self.it = it
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def open(self, path: str, data: dict[str, str] | None = None) -> tuple[str, str]:
        """Where it ends, and the page; a status of 400 and more is an answer like another, but none of 500."""
        body = None if data is None else urllib.parse.urlencode(data).encode()
        try:
            answer = self.opener.open(self.it.url + path, body, timeout=20)
        except urllib.error.HTTPError as error:
            if error.code >= 500:
                raise
            answer = error
        with answer:
            return answer.url.removeprefix(self.it.url), answer.read().decode()

    def sign_in(self, password: str) -> bool:
        _, page = self.open("/accounts/login/")
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found is not None, page[:500]
        self.open("/accounts/login/", {"csrfmiddlewaretoken": found[1], "login": ADMIN, "password": password})
        return self.is_in()

    def is_in(self) -> bool:
        where, _ = self.open("/p/bench/")
        return not where.startswith("/accounts/login/")


@pytest.fixture
def redis() -> Iterator[OwnRedis]:
    it = OwnRedis()
    it.start()
    yield it
    it.kill()


def test_the_platform_goes_on_while_redis_is_killed_emptied_and_away(
    server_services: dict[str, str], redis: OwnRedis
) -> None:
    with Installation(**server_services | {"REDIS_URL": f"redis://127.0.0.1:{redis.port}/0"}) as it:
        Trial(Platform(it), redis).go()


class Trial:
    """One installation and what is done to its Redis."""

    def __init__(self, platform: Platform, redis: OwnRedis) -> None:
        self.platform, self.redis = platform, redis
        self.it = it = platform.it
        self.web = WebWatch(it)
        self.stop = threading.Event()
        self.senders = [Sender(it, it.key, number, self.stop, pause_s=0.1) for number in range(CLIENTS)]
        self.owner = Browser(it)
        self.guesses = self.wrongly_in = 0

    def go(self) -> None:
        for name, count in [("before", EXAMPLES), ("meanwhile", 20), ("between", EXAMPLES // 2)]:
            self.it.add_dataset(name, count)
        for thread in [self.web, *self.senders]:
            thread.start()
        before = self.it.start_run("before", concurrency=5)
        wait_for(lambda: self.it.run(before)["done"] >= 10, 60, self.it.said())
        self.redis.kill()
        self.stay_away(before, self.it.start_run("meanwhile"))
        self.redis.start()
        between = self.it.start_run("between", concurrency=5)
        for _ in range(KILLS - 1):
            self.look()
            self.redis.kill()
            self.look()
            self.redis.start()
        self.settle(between)

    def stay_away(self, *runs: str) -> None:
        """While Redis is away the owner signs in, deliveries are exact, and both runs end, for workers ask the rows."""
        assert self.owner.sign_in(self.it.password), "the owner cannot sign in while Redis is away"
        self.look()
        tally = resending.Deliverer(self.it.port, self.it.key, "away").deliver(20)
        wait_for(lambda: all(self.it.run(uid)["status"] == "done" for uid in runs), 60, self.it.said())
        rows = self.platform.query(resending.STORED.format(name="away"))
        print(f"\nwhile Redis was away: {resending.demand_exact(tally, rows)}; {len(runs)} of {len(runs)} runs done")

    def look(self) -> None:
        """The owner is in, and nobody else."""
        assert self.owner.is_in()
        stranger = Browser(self.it)
        self.wrongly_in += stranger.is_in()
        if self.guesses < GUESSES:
            self.guesses += 1
            self.wrongly_in += stranger.sign_in(f"guess {self.guesses}")

    def settle(self, run: str) -> None:
        """The last run ends, too; the guesser was counted through all of it, and every event is there once."""
        wait_for(lambda: self.it.run(run)["status"] == "done", 60, self.it.said())
        refused = not Browser(self.it).sign_in(self.it.password)
        self.stop.set()
        self.web.stopping = True
        for thread in [self.web, *self.senders]:
            thread.join(timeout=60)
        errors = [wrong for one in self.senders for wrong in one.wrong] + ["retried"] * sum(
            one.retried for one in self.senders
        )
        sent = {name for one in self.senders for name in one.acknowledged}
        found = self.platform.query(
            "SELECT client_id FROM feedback_call UNION ALL SELECT client_id FROM feedback_feedbackevent"
        )
        kept = [name for [name] in found if not name.startswith("away-")]
        print(
            f"{KILLS} kills of Redis: {len(sent):,} events, ingest errors {len(errors)}, "
            f"lost {len(sent - set(kept))}, doubled {len(kept) - len(set(kept))}; web asked {self.web.asked}, "
            f"failed {self.web.failures}; wrongly signed in {self.wrongly_in} of {self.guesses}"
        )
        assert (errors, set(kept), len(kept)) == ([], sent, len(sent))
        assert (self.web.failures, self.wrongly_in) == (0, 0)
        assert refused, "the count of wrong passwords was lost"
        assert self.owner.is_in()
