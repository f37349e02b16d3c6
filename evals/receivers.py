"""What a worker of the queue `runs` does when it starts and when it is told to end."""

from __future__ import annotations

from typing import Any

from celery.signals import worker_init, worker_shutting_down

from evals.services import shutdown
from llmops.gateway import registry

QUEUE = "runs"


@worker_init.connect
def warm_up(sender: Any = None, **_: Any) -> None:
    """Import the SDKs before the children are forked: they take seconds, and the children share the memory."""
    if sender is None or QUEUE in sender.app.amqp.queues.consume_from:
        registry.warm()


worker_shutting_down.connect(shutdown.ask)
