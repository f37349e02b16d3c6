"""The repository's objects as rows.

Objects of a transaction are gathered in memory and written by `flush`, in one statement.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

from django.db.models import F, QuerySet
from dulwich.objects import ShaFile

from prompts.git.packs import Raw
from prompts.models import GitObject, Repository

BATCH = 500


class RowStore:
    """Reads rows on demand and keeps what it read for its own short life (one save, one push).

    Objects are named by dulwich's 40 hexadecimal digits, except where 20-byte hashes are said.
    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.fresh: dict[bytes, ShaFile] = {}
        self._read: dict[bytes, Raw] = {}

    def get_raw(self, name: bytes) -> Raw:
        """:raises KeyError: when there is no such object."""
        if name in self.fresh:
            item = self.fresh[name]
            return Raw(item.type_num, item.as_raw_string())
        if name not in self._read:
            sha = bytes.fromhex(name.decode())
            row = self._rows().filter(sha=sha).values_list("type", "data").first()
            if row is None:
                raise KeyError(name)
            self._read[name] = Raw(row[0], zlib.decompress(row[1]))
        return self._read[name]

    def __getitem__(self, name: bytes) -> ShaFile:
        if name in self.fresh:
            return self.fresh[name]
        raw = self.get_raw(name)
        return ShaFile.from_raw_string(raw.type, raw.data, sha=name)

    def add_object(self, item: ShaFile) -> None:
        """Gather an object to be written."""
        if item.id not in self._read:
            self.fresh[item.id] = item

    def adopt(self, objects: Mapping[bytes, Raw]) -> None:
        """Gather checked objects of a push by their 20-byte hashes."""
        for sha, raw in objects.items():
            name = sha.hex().encode()
            self.fresh[name] = ShaFile.from_raw_string(raw.type, raw.data, sha=name)

    def existing(self, shas: Iterable[bytes]) -> dict[bytes, int]:
        """Which of the 20-byte hashes have a row, with the object's type."""
        found: dict[bytes, int] = {}
        wanted = list(shas)
        for at in range(0, len(wanted), BATCH):
            rows = self._rows().filter(sha__in=wanted[at : at + BATCH]).values_list("sha", "type")
            found.update((bytes(sha), kind) for sha, kind in rows)
        return found

    def raws(self, shas: Iterable[bytes]) -> dict[bytes, Raw]:
        """The objects that have a row among the 20-byte hashes."""
        found: dict[bytes, Raw] = {}
        wanted = list(shas)
        for at in range(0, len(wanted), BATCH):
            rows = self._rows().filter(sha__in=wanted[at : at + BATCH]).values_list("sha", "type", "data")
            found.update((bytes(sha), Raw(kind, zlib.decompress(data))) for sha, kind, data in rows)
        return found

    def flush(self) -> None:
        """Write the gathered objects; the caller is inside a transaction that holds the repository's row."""
        names = {bytes.fromhex(name.decode()): item for name, item in self.fresh.items()}
        there = self.existing(names)
        rows = [
            GitObject(
                project_id=self.repository.project_id,
                repository=self.repository,
                sha=sha,
                type=item.type_num,
                size=item.raw_length(),
                data=zlib.compress(item.as_raw_string()),
            )
            for sha, item in names.items()
            if sha not in there
        ]
        if rows:
            GitObject.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)
            Repository.objects.filter(pk=self.repository.pk).update(
                objects_count=F("objects_count") + len(rows),
                bytes_count=F("bytes_count") + sum(len(row.data) for row in rows),
            )
        self._read.update((name, Raw(item.type_num, item.as_raw_string())) for name, item in self.fresh.items())
        self.fresh.clear()

    def _rows(self) -> QuerySet[GitObject]:
        return GitObject.objects.filter(repository=self.repository)
