"""REST: datasets, their versions, examples and imports."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.api import parsers, serializers
from evals.importers import bodies, mapping, rows
from evals.queries import datasets as queries
from evals.services import dataset_examples, datasets, example_erasure, imports
from llmops.common import text
from llmops.common.errors import Invalid
from llmops.common.parsers import StrictJSONParser
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission

COLUMNS = OpenApiParameter(
    "columns", str, description="`auto`, or a JSON object from columns to parts such as `inputs.question`"
)


class DatasetList(ProjectAPIView):
    """The project's datasets by slug; POST makes one."""

    permissions: ClassVar = {"GET": Permission.DATASET_READ, "POST": Permission.DATASET_WRITE}
    serializer_class = serializers.NewDataset

    @extend_schema(operation_id="datasets_list", responses=serializers.DatasetItem(many=True))
    def get(self, request: Request) -> Response:
        self.paginator.ordering = ("slug", "id")  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.datasets_in(self.project)) or []
        return self.get_paginated_response(serializers.DatasetItem(page, many=True).data)

    @extend_schema(responses={201: serializers.DatasetItem})
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        made = datasets.create(project=self.project, by=self.actor, **body.validated_data)
        return Response(_dataset(self, made.slug), status=201)


class DatasetDetail(ProjectAPIView):
    """One dataset with its newest version; DELETE takes it off the lists, runs keep their examples."""

    permissions: ClassVar = {
        "GET": Permission.DATASET_READ,
        "PATCH": Permission.DATASET_WRITE,
        "DELETE": Permission.DATASET_WRITE,
    }
    serializer_class = serializers.DatasetChange

    @extend_schema(operation_id="datasets_get", responses=serializers.DatasetItem)
    def get(self, request: Request, slug: str) -> Response:
        return Response(_dataset(self, slug))

    @extend_schema(responses=serializers.DatasetItem)
    def patch(self, request: Request, slug: str) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        dataset = queries.dataset_in(self.project, slug)
        datasets.edit(dataset=dataset, by=self.actor, **body.validated_data)
        return Response(_dataset(self, slug))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        dataset = queries.dataset_in(self.project, slug)
        datasets.archive(dataset=dataset, by=self.actor, now=timezone.now())
        return Response(status=204)


class Versions(ProjectAPIView):
    """Versions, newest first; POST saves the open one, so that it never changes again."""

    permissions: ClassVar = {"GET": Permission.DATASET_READ, "POST": Permission.DATASET_WRITE}
    serializer_class = serializers.SealVersion

    @extend_schema(operation_id="dataset_versions_list", responses=serializers.VersionItem(many=True))
    def get(self, request: Request, slug: str) -> Response:
        dataset = queries.dataset_in(self.project, slug)
        self.paginator.ordering = ("-number",)  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.versions_of(dataset)) or []
        return self.get_paginated_response(serializers.VersionItem(page, many=True).data)

    @extend_schema(responses={201: serializers.VersionItem})
    def post(self, request: Request, slug: str) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        dataset = queries.dataset_in(self.project, slug)
        version = datasets.seal(
            dataset=dataset, by=self.actor, now=timezone.now(), message=body.validated_data["message"]
        )
        return Response(serializers.VersionItem(version).data, status=201)


class Examples(ProjectAPIView):
    """The examples of a version, in order; POST appends a JSON array or JSONL: all of it, or on any error nothing."""

    permissions: ClassVar = {"GET": Permission.DATASET_READ, "POST": Permission.DATASET_WRITE}
    parser_classes = (StrictJSONParser, parsers.LinesParser, parsers.JsonlParser)
    serializer_class = serializers.NewExample

    @extend_schema(
        operation_id="examples_list",
        parameters=[
            OpenApiParameter("version", str, description="a number, or `latest` (the default)"),
            OpenApiParameter("search", str),
            OpenApiParameter("tag", str),
            OpenApiParameter("split", str),
        ],
        responses=serializers.ExampleItem(many=True),
    )
    def get(self, request: Request, slug: str) -> Response:
        dataset = queries.dataset_in(self.project, slug)
        number = _number(request.query_params.get("version", "latest"))
        if number is not None:
            queries.version_of(dataset, number)
        asked = {name: _plain(request.query_params.get(name, "")) for name in ("search", "tag", "split")}
        found = queries.examples_of(dataset, number, queries.ExampleFilter(**asked))
        self.paginator.ordering = ("position", "id")  # type: ignore[union-attr]
        page = self.paginate_queryset(found) or []
        return self.get_paginated_response(serializers.ExampleItem(page, many=True).data)

    @extend_schema(
        parameters=[COLUMNS],
        request={
            "application/json": serializers.NewExample(many=True),
            "application/x-ndjson": OpenApiTypes.STR,
            "application/jsonl": OpenApiTypes.STR,
        },
        responses={201: serializers.Added},
    )
    def post(self, request: Request, slug: str) -> Response:
        dataset = queries.dataset_in(self.project, slug)
        columns = _columns(request)
        body = request.data
        if isinstance(body, bytes):
            found = bodies.from_lines(body, columns)
        else:
            found = bodies.from_items(body if isinstance(body, list) else [body], columns)
        added = dataset_examples.add(dataset=dataset, rows=found, by=self.actor, source_kind="api")
        answer = {"added": len(added.uids), "version": added.version, "examples": added.uids}
        return Response(answer, status=201)


class ExampleDetail(ProjectAPIView):
    """One example of the newest version; PUT replaces its content, DELETE takes it out, older versions keep it."""

    permissions: ClassVar = {
        "GET": Permission.DATASET_READ,
        "PUT": Permission.DATASET_WRITE,
        "DELETE": Permission.DATASET_WRITE,
    }
    serializer_class = serializers.NewExample

    @extend_schema(operation_id="examples_get", responses=serializers.ExampleItem)
    def get(self, request: Request, slug: str, uid: str) -> Response:
        example = queries.example_in(queries.dataset_in(self.project, slug), uid)
        return Response(serializers.ExampleItem(example).data)

    @extend_schema(responses=serializers.ExampleItem)
    def put(self, request: Request, slug: str, uid: str) -> Response:
        dataset = queries.dataset_in(self.project, slug)
        example = dataset_examples.change(dataset=dataset, uid=uid, row=rows.checked(request.data), by=self.actor)
        return Response(serializers.ExampleItem(example).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, slug: str, uid: str) -> Response:
        dataset_examples.remove(dataset=queries.dataset_in(self.project, slug), uids=[uid], by=self.actor)
        return Response(status=204)


class ExampleErase(ProjectAPIView):
    """Blank an example in every version, for good: scores stay, what was in it does not."""

    permissions: ClassVar = {"POST": Permission.DATA_ERASE}

    @extend_schema(request=None, responses=serializers.Erased)
    def post(self, request: Request, slug: str, uid: str) -> Response:
        dataset = queries.dataset_in(self.project, slug)
        blanked = example_erasure.erase(dataset=dataset, uid=uid, by=self.actor, now=timezone.now())
        return Response({"rows_blanked": blanked})


class Imports(ProjectAPIView):
    """Import a CSV, JSON or JSONL file that is the whole body; the answer's address tells how far it is."""

    permissions: ClassVar = {"POST": Permission.DATASET_WRITE}
    parser_classes = (parsers.FileParser,)
    serializer_class = serializers.ImportItem

    @extend_schema(
        parameters=[OpenApiParameter("name", str, description="the file's name; its ending says the format"), COLUMNS],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={202: serializers.ImportItem},
    )
    def post(self, request: Request, slug: str) -> Response:
        dataset = queries.dataset_in(self.project, slug)
        name = _plain(request.query_params.get("name", "")) or "file"
        columns = _columns(request)
        body: Any = request.data
        stored = imports.upload(project=self.project, chunks=body or (), name=name)
        made = imports.start(
            dataset=dataset,
            digest=stored.digest,
            name=name,
            by=self.actor,
            columns=columns if isinstance(columns, mapping.ColumnMapping) else None,
        )
        return Response(serializers.ImportItem(made).data, status=202)


class ImportDetail(ProjectAPIView):
    """How far an import is, and which rows could not be read; DELETE stops it."""

    permissions: ClassVar = {"GET": Permission.DATASET_READ, "DELETE": Permission.DATASET_WRITE}
    serializer_class = serializers.ImportItem

    @extend_schema(operation_id="imports_get")
    def get(self, request: Request, uid: str) -> Response:
        return Response(self.get_serializer(queries.import_in(self.project, uid)).data)

    @extend_schema(responses=serializers.ImportItem)
    def delete(self, request: Request, uid: str) -> Response:
        imports.cancel(of=queries.import_in(self.project, uid), by=self.actor, now=timezone.now())
        return Response(self.get_serializer(queries.import_in(self.project, uid)).data)


def _dataset(view: ProjectAPIView, slug: str) -> Any:
    return serializers.DatasetItem(queries.dataset_row(view.project, slug)).data


def _number(version: str) -> int | None:
    if version in {"", "latest"}:
        return None
    if not version.isascii() or not version.isdigit() or len(version) > 9:
        raise Invalid("The version is a number, or “latest”.", fields={"version": "a number, or latest"})
    return int(version)


def _plain(value: str) -> str:
    """:raises Invalid: for what no database can compare."""
    if reason := text.problem(value):
        raise Invalid(f"A parameter {reason}.")
    return value[:500]


def _columns(request: Request) -> mapping.ColumnMapping | str | None:
    raw = request.query_params.get("columns", "")
    if raw in {"", "auto"}:
        return raw or None
    value = text.loads(raw, max_bytes=64 * 1024)
    return mapping.checked({"columns": value})
