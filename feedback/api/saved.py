"""REST: saved views of the inbox."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api import serializers
from feedback.forms.inbox import Narrow
from feedback.queries import review
from feedback.services import views
from llmops.common.errors import Forbidden, Invalid
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class Views(ProjectAPIView):
    """One's own views and those that are shared; POST saves one. To share takes the scope feedback:triage."""

    permissions: ClassVar = {"GET": Permission.FEEDBACK_READ, "POST": Permission.FEEDBACK_READ}
    serializer_class = serializers.NewView

    @extend_schema(operation_id="inbox_views_list", responses=serializers.View(many=True))
    def get(self, request: Request) -> Response:
        self.paginator.ordering = ("name", "id")  # type: ignore[union-attr]
        page = self.paginate_queryset(review.views_for(self.project, self.actor)) or []
        return self.get_paginated_response(serializers.View(page, many=True).data)

    @extend_schema(operation_id="inbox_views_save", responses={201: serializers.View})
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        query = _query(given["query"])
        if given["is_shared"] or self.actor.user_id is None:
            self.grant.require(Permission.FEEDBACK_TRIAGE)
        view = views.save(
            project=self.project, name=given["name"], query=query, is_shared=given["is_shared"], by=self.actor
        )
        return Response(serializers.View(view).data, status=201)


class ViewDetail(ProjectAPIView):
    """One view; PATCH shares it or not, DELETE removes it. Only its owner may."""

    permissions: ClassVar = {
        "GET": Permission.FEEDBACK_READ,
        "PATCH": Permission.FEEDBACK_TRIAGE,
        "DELETE": Permission.FEEDBACK_READ,
    }
    serializer_class = serializers.ShareView

    @extend_schema(operation_id="inbox_views_get", responses=serializers.View)
    def get(self, request: Request, uid: str) -> Response:
        return Response(serializers.View(review.view_in(self.project, self.actor, uid)).data)

    @extend_schema(operation_id="inbox_views_share", responses=serializers.View)
    def patch(self, request: Request, uid: str) -> Response:
        view = review.view_in(self.project, self.actor, uid)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        changed = views.share(view=view, is_shared=body.validated_data["is_shared"], by=self.actor)
        return Response(serializers.View(changed).data)

    @extend_schema(operation_id="inbox_views_remove", responses={204: None})
    def delete(self, request: Request, uid: str) -> Response:
        view = review.view_in(self.project, self.actor, uid)
        if self.actor.user_id is None and Permission.FEEDBACK_TRIAGE not in self.grant.permissions:
            raise Forbidden("Shared views are removed with the scope feedback:triage.", fields={"scope": "too small"})
        views.remove(view=view, by=self.actor, may_manage=Permission.PROJECT_MANAGE in self.grant.permissions)
        return Response(status=204)


def _query(given: dict[str, Any]) -> dict[str, str]:
    """:raises Invalid: naming what is no field of the filter, or not acceptable in one."""
    if unknown := given.keys() - Narrow.base_fields.keys():
        raise Invalid("The filter is not acceptable.", fields={f"query.{name}"[:60]: "not known" for name in unknown})
    form = Narrow(given)
    if not form.is_valid():
        raise Invalid(
            "The filter is not acceptable.",
            fields={f"query.{name}": str(errors[0]) for name, errors in form.errors.items()},
        )
    return form.query()
