"""Bring files into datasets: stored once, read in slices that can be interrupted anywhere, each row exactly once."""

from __future__ import annotations

import codecs
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from evals import importers
from evals.importers import ColumnMapping, ExampleAt, Options, Place, Preview, Problem, mapping
from evals.models import Dataset, Example, Import, ImportProblem
from evals.services import dataset_examples, datasets
from llmops.audit import services as audit
from llmops.common import jobs, leased, text
from llmops.common.actors import SYSTEM, Actor
from llmops.common.errors import DomainError, Invalid, NotFound, TooLarge
from llmops.projects.models import Project

LEASE = timedelta(seconds=60)
SLICE_S = 8.0
BATCH_ROWS = 500
BATCH_BYTES = 4 * 1024 * 1024
MAX_CRASHES = 5
MAX_PROBLEMS = 10_000
KEPT = timedelta(days=1)
QUOTED = timedelta(days=30)
CHUNK = 1024 * 1024
_WIDE = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that waits in the data folder; `digest` is how the next request names it."""

    digest: str
    name: str
    size: int


def upload(*, project: Project, chunks: Iterable[bytes], name: str) -> Upload:
    """Store a file; the same bytes twice are one file. UTF-16 and UTF-32 become UTF-8.

    :raises TooLarge: over LLMOPS_MAX_UPLOAD_BYTES.
    :raises Invalid: when it is empty or its own encoding is broken.
    """
    folder = _folder(project)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix="incoming-")
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in _as_utf8(chunks):
                size += len(chunk)
                if size > settings.MAX_UPLOAD_BYTES:
                    raise TooLarge(f"The file is over the limit of {settings.MAX_UPLOAD_BYTES:,} bytes.")
                digest.update(chunk)
                file.write(chunk)
        if not size:
            raise Invalid("The file is empty.", fields={"file": "is empty"}, code="empty_file")
        Path(temporary).replace(folder / digest.hexdigest())
    finally:
        Path(temporary).unlink(missing_ok=True)
    return Upload(digest=digest.hexdigest(), name=_file_name(name), size=size)


def preview(
    *, project: Project, digest: str, name: str, columns: ColumnMapping | None = None, most: int = 1_000
) -> Preview:
    """The beginning of an uploaded file under a suggested (or the given) mapping.

    :raises NotFound: when there is no such upload, or it was thrown away.
    :raises Invalid: when the file cannot be read at all, or the mapping makes no example.
    """
    with _path(project, digest).open("rb") as file:
        return importers.preview(file, name, _checked(columns), most=most)


def start(
    *,
    dataset: Dataset,
    digest: str,
    name: str,
    by: Actor,
    columns: ColumnMapping | None = None,
    skip_known: bool = True,
) -> Import:
    """Begin to import an uploaded file; when the same file is on its way into the dataset already, that import.

    :raises NotFound: when there is no such upload.
    :raises Invalid: when the file cannot be read at all, or the mapping does not fit.
    """
    path = _path(dataset.project, digest)
    wanted = _checked(columns)
    # Read before the transaction: on SQLite it would keep every other writer waiting.
    with path.open("rb") as file:
        seen = importers.preview(file, name, wanted, most=50)
    chosen = wanted or _checked(seen.mapping)
    assert chosen is not None
    made = Import(
        project_id=dataset.project_id,
        dataset=dataset,
        format=seen.options.format,
        file_name=_file_name(name),
        stored=digest,
        size=path.stat().st_size,
        digest=digest,
        mapping={
            "v": 1,
            "columns": dict(chosen.columns),
            "encoding": seen.options.encoding,
            "delimiter": seen.options.delimiter,
        },
        skip_known=skip_known,
        by=by.text,
    )
    try:
        with transaction.atomic():
            made.save()
            audit.record("dataset.import_started", by=by, target=made, file=made.file_name, bytes=made.size)
            jobs.enqueue("evals.import_rows", import_id=made.pk)
    except IntegrityError:
        return Import.objects.get(dataset=dataset, digest=digest, state__in=Import.ACTIVE)
    return made


@transaction.atomic
def cancel(*, of: Import, by: Actor, now: datetime) -> None:
    """Stop an import after the batch it is writing; the rows so far stay. A finished one is left alone."""
    stopped = Import.objects.filter(pk=of.pk, state__in=Import.ACTIVE).update(
        state=Import.State.CANCELLED, cancel_at=now, finished_at=now, fence=F("fence") + 1, lease_until=None
    )
    if stopped:
        audit.record("dataset.import_cancelled", by=by, target=of)


def work(*, import_id: int, seconds: float = SLICE_S) -> bool:
    """Read on for a while; true when there is nothing left to do. Safe to run twice and to die anywhere."""
    mine = _claim(import_id)
    if mine is None:
        return True
    deadline = time.monotonic() + seconds
    try:
        with _path(mine.project, mine.stored).open("rb") as file:
            for batch in _batches(file, mine):
                if not _store(mine, batch):
                    return True
                if time.monotonic() > deadline:
                    _let_go(mine)
                    return False
    except DomainError as error:
        _end(mine, Import.State.FAILED, error.message)
        return True
    _end(mine, Import.State.FINISHED, "")
    return True


def continue_stalled(*, now: datetime) -> int:
    """Wake the imports whose worker died or whose message was lost; returns how many."""
    return leased.wake_stalled(Import.objects.all(), "evals.import_rows", "import_id", now)


def discard_uploads(*, now: datetime) -> int:
    """Delete stored files that nobody imported within a day; returns how many.

    What reports quote from files goes after a month; lines, columns and reasons stay.
    """
    ImportProblem.objects.filter(of__finished_at__lt=now - QUOTED).exclude(excerpt="").update(excerpt="")
    gone = 0
    if not settings.UPLOADS_DIR.is_dir():
        return gone
    for path in settings.UPLOADS_DIR.glob("*/*"):
        is_old = path.stat().st_mtime < (now - KEPT).timestamp()
        if is_old and not Import.objects.filter(stored=path.name, state__in=Import.ACTIVE).exists():
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _claim(import_id: int) -> Import | None:
    """Take the import for a lease, unless somebody has it; three things can end it here: poison, absence, the end."""
    mine = leased.claim(Import.objects.select_related("dataset", "project"), import_id, LEASE)
    if mine is not None and mine.attempts > MAX_CRASHES:
        _end(mine, Import.State.FAILED, f"Reading stopped {MAX_CRASHES} times at line {mine.line}.")
        return None
    return mine


def _batches(file: BinaryIO, mine: Import) -> Iterator[list[ExampleAt | Problem]]:
    settings_of = mine.mapping
    options = Options(mine.format, encoding=settings_of["encoding"], delimiter=settings_of["delimiter"])
    columns = ColumnMapping(columns=settings_of["columns"])
    batch: list[ExampleAt | Problem] = []
    begun = mine.offset
    for item in importers.examples(file, options, columns, Place(mine.offset, mine.line)):
        batch.append(item)
        if len(batch) >= BATCH_ROWS or item.next.offset - begun > BATCH_BYTES:
            yield batch
            batch, begun = [], item.next.offset
    if batch:
        yield batch


@transaction.atomic
def _store(mine: Import, batch: list[ExampleAt | Problem]) -> bool:
    """Write rows, problems and the new place together; false when the import is no longer ours."""
    good = [item for item in batch if isinstance(item, ExampleAt)]
    bad = [item for item in batch if isinstance(item, Problem)]
    held = Import.objects.filter(pk=mine.pk, fence=mine.fence, state=Import.State.RUNNING).update(
        offset=batch[-1].next.offset,
        line=batch[-1].next.line,
        rows_bad=F("rows_bad") + len(bad),
        lease_until=timezone.now() + LEASE,
        attempts=0,
    )
    if not held:
        return False
    version = datasets.open_for_edits(dataset=mine.dataset, by=Actor(kind="system", id=None, text=mine.by))
    known = _known(mine, good) if mine.skip_known else set()
    fresh = [item for item in good if item.row.content_hash not in known]
    dataset_examples.append(
        version=version, rows=[item.row for item in fresh], source_kind="import", source_uid=mine.uid
    )
    Import.objects.filter(pk=mine.pk).update(
        rows_ok=F("rows_ok") + len(fresh),
        rows_known=F("rows_known") + len(good) - len(fresh),
        version_number=version.number,
    )
    _report(mine, bad)
    return True


def _known(mine: Import, items: list[ExampleAt]) -> set[str]:
    """Hashes of rows that the dataset had before this import; twins inside the file are the file's own business."""
    hashes = [item.row.content_hash for item in items]
    return set(
        Example.objects.filter(dataset_id=mine.dataset_id, removed_in=None, content_hash__in=hashes)
        .exclude(source_uid=mine.uid, source_kind="import")
        .values_list("content_hash", flat=True)
    )


def _report(mine: Import, problems: list[Problem]) -> None:
    room = MAX_PROBLEMS - mine.rows_bad
    mine.rows_bad += len(problems)
    ImportProblem.objects.bulk_create(
        [
            ImportProblem(
                project_id=mine.project_id,
                of=mine,
                line=problem.line,
                column=problem.column,
                reason=text.repaired(problem.reason)[:500],
                excerpt=text.repaired(problem.excerpt)[:200],
            )
            for problem in problems[: max(room, 0)]
        ],
        batch_size=BATCH_ROWS,
    )


def _let_go(mine: Import) -> None:
    Import.objects.filter(pk=mine.pk, fence=mine.fence).update(lease_until=None)
    jobs.enqueue("evals.import_rows", import_id=mine.pk)


@transaction.atomic
def _end(mine: Import, state: str, error: str) -> None:
    """Close the import and throw its file away when nobody else needs it."""
    ended = Import.objects.filter(pk=mine.pk, fence=mine.fence, state__in=Import.ACTIVE).update(
        state=state, error=error, finished_at=timezone.now(), lease_until=None
    )
    if not ended:
        return
    mine.refresh_from_db()
    audit.record(
        "dataset.import_ended",
        by=SYSTEM,
        target=mine,
        state=state,
        rows=mine.rows_ok,
        problems=mine.rows_bad,
        version=mine.version_number,
    )
    others = Import.objects.filter(project_id=mine.project_id, stored=mine.stored, state__in=Import.ACTIVE)
    if not others.exists():
        path = _folder(mine.project) / mine.stored
        transaction.on_commit(lambda: path.unlink(missing_ok=True))


def _checked(columns: ColumnMapping | None) -> ColumnMapping | None:
    return None if columns is None else mapping.checked({"columns": dict(columns.columns)})


def _folder(project: Project) -> Path:
    return Path(settings.UPLOADS_DIR) / project.uid.hex


def _path(project: Project, digest: str) -> Path:
    """:raises NotFound: for anything that is not the digest of a file stored for this project."""
    is_digest = len(digest) == 64 and set(digest) <= set("0123456789abcdef")
    path = _folder(project) / digest if is_digest else None
    if path is None or not path.is_file():
        raise NotFound("The uploaded file is gone. Choose it again.", code="upload_gone")
    return path


def _file_name(name: str) -> str:
    """The last part of what the client calls the file; shown, never used as a path."""
    return (text.repaired(name).replace("\\", "/").rpartition("/")[2].strip() or "file")[:255]


def _as_utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, or the UTF-8 of a file that begins with the mark of UTF-16 or UTF-32."""
    source = iter(chunks)
    head = b""
    while len(head) < 4 and (chunk := next(source, None)) is not None:
        head += chunk
    encoding = next((name for mark, name in _WIDE.items() if head.startswith(mark)), None)
    if encoding is None:
        yield head
        yield from source
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        yield decoder.decode(head).encode()
        for chunk in source:
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError:
        raise Invalid(
            f"The file begins as {encoding.upper()} but is not.", fields={"file": "broken encoding"}
        ) from None
