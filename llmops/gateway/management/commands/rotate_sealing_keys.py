"""`manage.py rotate_sealing_keys`: seal every provider key anew with the first sealing key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from llmops.gateway import crypto
from llmops.gateway.models import Connection


class Command(BaseCommand):
    help = "Seal every provider key anew with the first of LLMOPS_SEALING_KEYS; afterwards older ones can be dropped."

    def handle(self, **_: Any) -> None:
        count = 0
        for connection in Connection.objects.exclude(sealed_key="").iterator():
            Connection.objects.filter(pk=connection.pk, sealed_key=connection.sealed_key).update(
                sealed_key=crypto.resealed(connection.sealed_key)
            )
            count += 1
        self.stdout.write(f"{count} keys sealed anew")
