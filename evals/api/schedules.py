"""REST: schedules, and signing off what they ran."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from evals.api.run_bodies import RunBody
from evals.models import Schedule, SignOff
from evals.queries import runs as run_queries
from evals.queries import schedules as queries
from evals.services import schedules, sign_offs
from llmops.common import ids
from llmops.projects.api import ProjectAPIView
from llmops.projects.models import Project
from llmops.projects.permissions import Permission

SHOWN = OpenApiResponse(description="the schedule")


class ScheduleBody(serializers.Serializer[Any]):
    """`run` says what runs, as in the call that starts a run; its label and dataset are looked up at each start."""

    name = serializers.CharField(max_length=120)
    run = RunBody()
    cron = serializers.CharField(
        max_length=100, required=False, default="", allow_blank=True, help_text="five fields, as in cron"
    )
    time_zone = serializers.CharField(max_length=60, required=False, default="UTC")
    on_change = serializers.ListField(
        child=serializers.ChoiceField(Schedule.Change.values), required=False, default=list,
        help_text="run again when these change",
    )  # fmt: skip
    sign_off_by = serializers.CharField(
        max_length=254, required=False, default="", allow_blank=True, help_text="a member's address"
    )
    enabled = serializers.BooleanField(required=False, default=True)


class ScheduleSwitch(serializers.Serializer[Any]):
    enabled = serializers.BooleanField()


class SignOffBody(serializers.Serializer[Any]):
    accept = serializers.BooleanField()
    note = serializers.CharField(max_length=2_000, required=False, default="", allow_blank=True)


class ScheduleList(ProjectAPIView):
    """The project's schedules, newest first; POST makes one."""

    permissions: ClassVar = {"GET": Permission.RUN_READ, "POST": Permission.RUN_START}
    serializer_class = ScheduleBody

    @extend_schema(operation_id="schedules_list", responses={200: OpenApiResponse(description="a page of schedules")})
    def get(self, request: Request) -> Response:
        self.paginator.ordering = ("-id",)  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.schedules_in(self.project)) or []
        return self.get_paginated_response([_shown(one) for one in page])

    @extend_schema(operation_id="schedules_create", responses={201: SHOWN})
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        made = schedules.create(
            project=self.project, planned=_planned(self.project, body.validated_data), by=self.actor,
            now=timezone.now(), enabled=body.validated_data["enabled"],
        )  # fmt: skip
        return Response(_whole(made), status=201)


class ScheduleDetail(ProjectAPIView):
    """One schedule with what it started last; PUT replaces it, PATCH pauses it or lets it go on."""

    permissions: ClassVar = {
        "GET": Permission.RUN_READ,
        "PUT": Permission.RUN_START,
        "PATCH": Permission.RUN_START,
        "DELETE": Permission.RUN_START,
    }
    serializer_class = ScheduleBody

    @extend_schema(operation_id="schedules_get", responses={200: SHOWN})
    def get(self, request: Request, uid: str) -> Response:
        return Response(_whole(queries.schedule_in(self.project, uid)))

    @extend_schema(operation_id="schedules_replace", responses={200: SHOWN})
    def put(self, request: Request, uid: str) -> Response:
        schedule = queries.schedule_in(self.project, uid)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        planned = _planned(self.project, body.validated_data)
        schedules.edit(schedule=schedule, planned=planned, by=self.actor, now=timezone.now())
        enabled = body.validated_data["enabled"]
        schedules.switch(schedule=schedule, enabled=enabled, by=self.actor, now=timezone.now())
        return Response(_whole(queries.schedule_in(self.project, uid)))

    @extend_schema(operation_id="schedules_switch", request=ScheduleSwitch, responses={200: SHOWN})
    def patch(self, request: Request, uid: str) -> Response:
        schedule = queries.schedule_in(self.project, uid)
        body = ScheduleSwitch(data=request.data)
        body.is_valid(raise_exception=True)
        enabled = body.validated_data["enabled"]
        schedules.switch(schedule=schedule, enabled=enabled, by=self.actor, now=timezone.now())
        return Response(_whole(queries.schedule_in(self.project, uid)))

    @extend_schema(operation_id="schedules_remove", responses={204: None})
    def delete(self, request: Request, uid: str) -> Response:
        schedules.remove(schedule=queries.schedule_in(self.project, uid), by=self.actor)
        return Response(status=204)


class RunSignOff(ProjectAPIView):
    """The word of the named person, by a personal key."""

    permissions: ClassVar = {"GET": Permission.RUN_READ, "POST": Permission.RUN_READ}
    serializer_class = SignOffBody

    @extend_schema(operation_id="runs_sign_off_get", responses={200: OpenApiResponse(description="the sign-off")})
    def get(self, request: Request, uid: str) -> Response:
        run = run_queries.run_in(self.project, uid)
        return Response({"sign_off": sign_off_shown(queries.sign_off_of(run))})

    @extend_schema(operation_id="runs_sign_off", responses={200: OpenApiResponse(description="the sign-off")})
    def post(self, request: Request, uid: str) -> Response:
        run = run_queries.run_in(self.project, uid)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        sign_offs.decide(run=run, by=self.actor, now=timezone.now(), **body.validated_data)
        return Response({"sign_off": sign_off_shown(queries.sign_off_of(run))})


def sign_off_shown(found: SignOff | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "state": found.state,
        "person": found.person.email if found.person else None,
        "note": found.note,
        "decided_at": found.decided_at,
    }


def _planned(project: Project, given: dict[str, Any]) -> schedules.Planned:
    return schedules.Planned(
        name=given["name"],
        wanted=dict(given["run"]),
        cron=given["cron"],
        time_zone=given["time_zone"],
        on_change=given["on_change"],
        sign_off_by=queries.member_in(project, given["sign_off_by"]),
    )


def _shown(schedule: Schedule) -> dict[str, Any]:
    uid = ids.public("sch", schedule.uid)
    page = reverse("evals:schedule-detail", args=[schedule.project.slug, uid])
    return {
        "id": uid,
        "name": schedule.name,
        "enabled": schedule.enabled,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "on_change": schedule.on_change,
        "next_due_at": schedule.next_due_at if schedule.enabled else None,
        "sign_off_by": schedule.sign_off_by.email if schedule.sign_off_by else None,
        "run": schedule.wanted,
        "page": f"{settings.LLMOPS_BASE_URL}{page}",
        "by": schedule.by,
        "created_at": schedule.created_at,
    }


def _whole(schedule: Schedule) -> dict[str, Any]:
    starts = [
        {
            "at": start.at,
            "cause": start.cause,
            "run": ids.public("run", start.run.uid) if start.run else None,
            "problem": start.problem or None,
        }
        for start in queries.starts_of(schedule)
    ]
    return {**_shown(schedule), "starts": starts}
