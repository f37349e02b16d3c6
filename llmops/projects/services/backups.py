"""A project as one file, and back: every row, the git repository included, between any two databases.

The file is gzipped JSON lines: a manifest, one line per row, and a closing line with the number of rows and their
SHA-256, so that a torn file is never restored. Provider keys stay sealed: they open only where the sealing key is.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction

from llmops.accounts.models import User
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects import tenancy
from llmops.projects.models import Project

FORMAT = 1
BATCH = 500


def write(*, project: Project, path: Path, now: datetime) -> int:
    """Write the project's rows to `path`; returns their number. The file appears only when it is whole.

    One transaction, so that on PostgreSQL (repeatable read) and SQLite alike it is one moment's state.
    """
    digest, rows = hashlib.sha256(), 0
    partial = path.with_name(path.name + ".partial")
    with transaction.atomic(), gzip.open(partial, "wt", encoding="utf-8", compresslevel=6) as file:
        manifest = {"format": FORMAT, "slug": project.slug, "at": now, "people": _people(project)}
        file.write(_line(manifest))
        for line in _lines(project):
            digest.update(line.encode())
            rows += 1
            file.write(line)
        file.write(_line({"rows": rows, "sha256": digest.hexdigest()}))
    partial.replace(path)
    return rows


def _lines(project: Project) -> Iterator[str]:
    yield _line(_row(project))
    for table in tenancy.tables():
        for row in table.rows(project).iterator(chunk_size=BATCH):
            yield _line(_row(row))


def _row(row: models.Model) -> dict[str, Any]:
    fields = {field.attname: _plain(getattr(row, field.attname)) for field in row._meta.concrete_fields}
    return {"model": row._meta.label_lower, "pk": fields.pop(row._meta.pk.attname), "fields": fields}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    return value


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, cls=_Exact, ensure_ascii=False, separators=(",", ":")) + "\n"


class _Exact(DjangoJSONEncoder):
    """Django's encoder cuts times to milliseconds; a backup keeps all six digits."""

    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


def _people(project: Project) -> dict[str, dict[str, str]]:
    """Everybody whom a row points at, by primary key: people are matched by e-mail address on restore."""
    ids: set[int] = set()
    for table in tenancy.tables():
        for field in tenancy.foreign_keys(table.model):
            if field.related_model is User:
                found = table.rows(project).order_by().exclude(**{field.attname: None})
                ids.update(found.values_list(field.attname, flat=True).distinct())
    return {str(user.pk): {"email": user.email, "name": user.name} for user in User.objects.filter(pk__in=ids)}


def read(*, path: Path, by: Actor) -> Project:
    """Restore the project of a backup file into this database, in one transaction.

    People who are not known here are created without a password: they come in by “Forgot your password?” or OIDC.

    :raises Conflict: when a project with the slug or the uid is here already.
    :raises Invalid: when the file is torn or of another format.
    """
    with gzip.open(path, "rt", encoding="utf-8") as file, transaction.atomic():
        try:
            manifest = json.loads(next(file))
            if manifest.get("format") != FORMAT:
                raise Invalid(f"The file's format is {manifest.get('format')!r}; this version reads {FORMAT}.")
            return _Restore(manifest, by).all(file)
        except (OSError, EOFError, StopIteration, ValueError, KeyError) as error:
            raise Invalid(f"The backup cannot be read: {error or type(error).__name__}.") from error


class _Restore:
    """One restore: the new primary key of every old one, and the references that have to wait."""

    def __init__(self, manifest: dict[str, Any], by: Actor) -> None:
        self.slug = manifest["slug"]
        self.by = by
        self.new: dict[type[models.Model], dict[Any, Any]] = defaultdict(dict)
        self.waiting: list[tuple[type[models.Model], Any, str, type[models.Model], Any]] = []
        self.new[User] = {int(pk): _person(**person) for pk, person in manifest["people"].items()}
        self.models = {Project._meta.label_lower: Project} | {
            table.model._meta.label_lower: table.model for table in tenancy.tables()
        }

    def all(self, lines: Iterator[str]) -> Project:
        digest, rows = hashlib.sha256(), 0
        batch: list[tuple[Any, models.Model]] = []
        for line in lines:
            entry = json.loads(line)
            if "sha256" in entry:
                if (entry["rows"], entry["sha256"]) != (rows, digest.hexdigest()):
                    raise Invalid("The backup is damaged: its rows do not match its check sum.")
                break
            digest.update(line.encode())
            rows += 1
            model = self.models[entry["model"]]
            if batch and (type(batch[0][1]) is not model or len(batch) >= BATCH):
                self._insert(batch)
            batch.append((entry["pk"], self._instance(model, entry)))
        else:
            raise Invalid("The backup is torn: its last line is missing.")
        self._insert(batch)
        self._fill_waiting()
        project = Project.objects.get(slug=self.slug)
        audit.record("project.restored", by=self.by, target=project, project_id=project.pk, rows=rows)
        return project

    def _instance(self, model: type[models.Model], entry: dict[str, Any]) -> models.Model:
        if model is Project and Project.objects.filter(slug=self.slug).exists():
            raise Conflict(f"There is a project “{self.slug}” here already; delete or rename it first.")
        values = {}
        for name, value in entry["fields"].items():
            field = _field(model, name)
            if isinstance(field, models.ForeignKey) and value is not None:
                values[name] = self._reference(model, entry["pk"], field, value)
            elif name == "project_id" and value is not None:
                values[name] = self.new[Project][value]
            elif isinstance(value, dict) and isinstance(field, models.BinaryField):
                values[name] = base64.b64decode(value["base64"])
            elif isinstance(field, models.JSONField):
                values[name] = value
            else:
                values[name] = field.to_python(value)
        return model(**values)

    def _reference(self, model: type[models.Model], pk: Any, field: models.ForeignKey, value: Any) -> Any:
        target = field.related_model
        if value in self.new[target]:
            return self.new[target][value]
        if not field.null:
            raise Invalid(f"The backup is damaged: {model._meta.label_lower} {pk} points at nothing.")
        self.waiting.append((model, pk, field.attname, target, value))
        return None

    def _insert(self, batch: list[tuple[Any, models.Model]]) -> None:
        if not batch:
            return
        model = type(batch[0][1])
        created = model._base_manager.bulk_create([row for _, row in batch])
        self.new[model].update((old, row.pk) for (old, _), row in zip(batch, created, strict=True))
        batch.clear()

    def _fill_waiting(self) -> None:
        for model, pk, attname, target, value in self.waiting:
            if (new := self.new[target].get(value)) is not None:
                rows: models.QuerySet = models.QuerySet(model).filter(pk=self.new[model][pk])
                rows.update(**{attname: new})


def _field(model: type[models.Model], attname: str) -> models.Field:
    """:raises KeyError: for a column that this version does not have."""
    for field in model._meta.concrete_fields:
        if field.attname == attname:
            return field
    raise KeyError(f"{model._meta.label_lower} has no column {attname}") from FieldDoesNotExist(attname)


def _person(email: str, name: str) -> int:
    user = User.objects.filter(email__iexact=email).first() or User.objects.create_user(email, None, name=name)
    return user.pk
