"""REST: connections. A key goes in and never comes out."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from llmops.common import ids
from llmops.gateway import queries, registry
from llmops.gateway.models import Connection
from llmops.gateway.services import connections
from llmops.gateway.services.connections import MOST_A_MINUTE, MOST_IN_FLIGHT
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class ConnectionItem(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField()
    name = serializers.CharField()
    kind = serializers.CharField()
    base_url = serializers.CharField()
    key_hint = serializers.CharField(help_text="the key's last four characters")
    model = serializers.CharField()
    rpm = serializers.IntegerField(allow_null=True)
    tpm = serializers.IntegerField(allow_null=True)
    max_in_flight = serializers.IntegerField()
    is_default = serializers.BooleanField()
    tested_at = serializers.DateTimeField(allow_null=True)
    test_outcome = serializers.CharField()

    def get_id(self, item: Connection) -> str:
        return ids.public("con", item.uid)


class ConnectionChange(serializers.Serializer[Any]):
    """A new `base_url` needs the key again."""

    name = serializers.CharField(max_length=120, required=False)
    base_url = serializers.CharField(max_length=500, required=False, allow_blank=True)
    key = serializers.CharField(max_length=500, required=False, write_only=True)
    model = serializers.CharField(max_length=200, required=False, allow_blank=True)
    rpm = serializers.IntegerField(min_value=1, max_value=MOST_A_MINUTE, required=False, allow_null=True)
    tpm = serializers.IntegerField(min_value=1, max_value=MOST_A_MINUTE, required=False, allow_null=True)
    max_in_flight = serializers.IntegerField(min_value=1, max_value=MOST_IN_FLIGHT, required=False)


class NewConnection(ConnectionChange):
    name = serializers.CharField(max_length=120)
    kind = serializers.ChoiceField(choices=list(registry.KINDS))
    is_default = serializers.BooleanField(required=False)


class ConnectionList(ProjectAPIView):
    """The project's connections; POST adds one."""

    permissions: ClassVar = {"GET": Permission.CONNECTION_READ, "POST": Permission.CONNECTION_MANAGE}
    serializer_class = NewConnection
    pagination_class = None

    @extend_schema(operation_id="connections_list", responses=ConnectionItem(many=True))
    def get(self, request: Request) -> Response:
        return Response({"results": ConnectionItem(queries.connections_in(self.project), many=True).data})

    @extend_schema(responses={201: ConnectionItem})
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        made = connections.create(project=self.project, by=self.actor, **body.validated_data)
        return Response(ConnectionItem(made).data, status=201)


class ConnectionDetail(ProjectAPIView):
    """One connection; PATCH changes it, DELETE archives it and forgets its key."""

    permissions: ClassVar = {
        "GET": Permission.CONNECTION_READ,
        "PATCH": Permission.CONNECTION_MANAGE,
        "DELETE": Permission.CONNECTION_MANAGE,
    }
    serializer_class = ConnectionChange

    @extend_schema(operation_id="connections_get", responses=ConnectionItem)
    def get(self, request: Request, uid: str) -> Response:
        return Response(ConnectionItem(self._connection(uid)).data)

    @extend_schema(responses=ConnectionItem)
    def patch(self, request: Request, uid: str) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        changed = connections.edit(connection=self._connection(uid), by=self.actor, **body.validated_data)
        return Response(ConnectionItem(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, uid: str) -> Response:
        connections.archive(connection=self._connection(uid), by=self.actor, now=timezone.now())
        return Response(status=204)

    def _connection(self, uid: str) -> Connection:
        return queries.connection_by_uid(self.project, ids.parse("con", uid))


class ConnectionTest(ProjectAPIView):
    """Ask for one short call; `test_outcome` says how it went, `waiting` until then."""

    permissions: ClassVar = {"POST": Permission.CONNECTION_MANAGE}
    serializer_class = ConnectionItem

    @extend_schema(request=None, responses={202: ConnectionItem})
    def post(self, request: Request, uid: str) -> Response:
        connection = queries.connection_by_uid(self.project, ids.parse("con", uid))
        connections.ask_for_test(connection=connection, by=self.actor, now=timezone.now())
        return Response(ConnectionItem(queries.connection_by_uid(self.project, connection.uid)).data, status=202)
