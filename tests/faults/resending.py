"""Deliveries that come more than once, by a client of its own: one after the other, at the same moment, and with
another body under the same id. It knows what each answer has to be."""

from __future__ import annotations

import json
import random
import threading
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

BATCH = 20
AT_ONCE = 6
Event = dict[str, Any]


@dataclass(slots=True)
class Tally:
    """What was sent and answered. `uids` are the answers by kind and id; a second answer must be the first one."""

    sent: int = 0
    conflicts: int = 0
    conflicts_due: int = 0
    uids: dict[tuple[str, str], str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Deliverer:
    """Sends batches of new events in the ways in which networks and impatient clients send them."""

    def __init__(self, port: int, key: str, name: str, seed: int = 1) -> None:
        self.port, self.key, self.name = port, key, name
        self.tally = Tally()
        self.dice = random.Random(seed)

    def deliver(self, batches: int) -> Tally:
        """Every fifth batch comes again later, every fifth by several senders at once; then other bodies come."""
        known = [self._batch(number) for number in range(batches)]
        for number, (kind, events) in enumerate(known):
            if number % 5 == 0:
                self._at_once(kind, [events] * AT_ONCE)
            else:
                self._judge(kind, events, self._send(kind, events))
        for kind, events in self.dice.sample(known, batches // 5):
            self._judge(kind, events, self._send(kind, events))
        for number, (kind, events) in enumerate(known[::5]):
            self._send_others(kind, events, number)
        for number in range(batches // 5):
            self._race(number)
        return self.tally

    def _batch(self, number: int) -> tuple[str, list[Event]]:
        kind = "feedback" if number % 2 else "calls"
        return kind, [_event(kind, f"{self.name}-{number}-{place}", "first") for place in range(BATCH)]

    def _send_others(self, kind: str, events: list[Event], number: int) -> None:
        """Half the ids again with other bodies, between new events: each of those is refused, the new ones stored."""
        mixed: list[Event] = []
        for place, event in enumerate(events[: BATCH // 2]):
            mixed += [
                _event(kind, event["id"], "second"),
                _event(kind, f"{self.name}-new-{number}-{place}", "first"),
            ]
        results = self._send(kind, mixed)
        self.tally.conflicts_due += BATCH // 2
        for result in results[::2]:
            self._count_conflict(result)
        self._judge(kind, mixed[1::2], results[1::2])

    def _race(self, number: int) -> None:
        """Different bodies under the same ids at the same moment: one of them wins, the others are told."""
        kind = "feedback" if number % 2 else "calls"
        names = [f"{self.name}-race-{number}-{place}" for place in range(BATCH)]
        rivals = [[_event(kind, name, f"rival {one}") for name in names] for one in range(AT_ONCE)]
        answers = self._all_at_once(kind, rivals)
        for place, name in enumerate(names):
            results = [answer[place] for answer in answers]
            won = [result for result in results if result["status"] == 201]
            if len(won) != 1:
                self.tally.wrong.append(f"{len(won)} bodies won under {name}")
            for result in won:
                self.tally.uids[kind, name] = result["uid"]
            self.tally.conflicts_due += AT_ONCE - 1
            for result in results:
                if result["status"] != 201:
                    self._count_conflict(result)

    def _at_once(self, kind: str, batches: list[list[Event]]) -> None:
        for events, results in zip(batches, self._all_at_once(kind, batches), strict=True):
            self._judge(kind, events, results)

    def _all_at_once(self, kind: str, batches: list[list[Event]]) -> list[list[Event]]:
        together = threading.Barrier(len(batches))

        def send(events: list[Event]) -> list[Event]:
            together.wait()
            return self._send(kind, events)

        with ThreadPoolExecutor(len(batches)) as senders:
            return list(senders.map(send, batches))

    def _send(self, kind: str, events: list[Event]) -> list[Event]:
        self.tally.sent += len(events)
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{kind}",
            data=json.dumps({"batch": events}).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            found: list[Event] = json.loads(response.read())["results"]
        return found

    def _judge(self, kind: str, events: Iterable[Event], results: list[Event]) -> None:
        """Each event is stored, under the id that an earlier answer gave."""
        for event, result in zip(events, results, strict=True):
            if result["status"] != 201 or result["id"] != event["id"]:
                self.tally.wrong.append(str(result))
            elif self.tally.uids.setdefault((kind, result["id"]), result["uid"]) != result["uid"]:
                self.tally.wrong.append(f"another answer for {result['id']}")

    def _count_conflict(self, result: Event) -> None:
        if result["status"] == 409 and result["error"]["fields"] == {"id": "taken"}:
            self.tally.conflicts += 1
        else:
            self.tally.wrong.append(str(result))


def _event(kind: str, name: str, text: str) -> Event:
    if kind == "calls":
        return {"id": name, "output": text}
    return {"id": name, "call": name, "thumbs": "down", "end_user": "u", "comment": text}


STORED = """
SELECT client_id, uid, 'calls', 'call_' FROM feedback_call WHERE client_id LIKE '{name}-%'
UNION ALL
SELECT client_id, uid, 'feedback', 'feedback_' FROM feedback_feedbackevent WHERE client_id LIKE '{name}-%'
"""


def demand_exact(tally: Tally, rows: list[Any]) -> str:
    """What was answered is what is stored: each once, under the id that the answers gave. Returns the figures."""
    stored = {(kind, name): prefix + str(uid).replace("-", "") for name, uid, kind, prefix in rows}
    lost, doubled = len(tally.uids.keys() - stored.keys()), len(rows) - len(stored)
    line = (
        f"sent {tally.sent:,}, stored {len(rows):,}, lost {lost}, doubled {doubled}, "
        f"conflicts {tally.conflicts:,} of {tally.conflicts_due:,}"
    )
    assert tally.wrong == [], line
    assert (lost, doubled, tally.conflicts) == (0, 0, tally.conflicts_due), line
    assert stored == tally.uids, line
    return line
