"""Pages of schedules, and the sign-off of a run."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals import forms
from evals.models import Schedule
from evals.queries import paging
from evals.queries import runs as run_queries
from evals.queries import schedules as queries
from evals.services import schedules, sign_offs
from evals.views import lists, snippets
from evals.views.new_runs import run_form
from llmops.common import ids
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.models import Project
from llmops.projects.permissions import Permission

PLAIN = (
    "dataset", "split", "evaluators", "repeats", "concurrency", "model", "connection", "max_cost_usd", "priority",
)  # fmt: skip


@require_safe
@access.requires(Permission.RUN_READ)
def listing(request: access.ProjectRequest) -> HttpResponse:
    found = queries.schedules_in(request.project)
    page = paging.page(found, order=("-id",), cursor=request.GET.get("cursor", ""), size=25)
    context = {
        "schedules": [_row(schedule) for schedule in page.rows],
        "page": lists.links(request, page),
        "api_call": snippets.create_schedule(),
    }
    return render(request, "evals/schedule_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.RUN_START)
def new(request: access.ProjectRequest) -> HttpResponse:
    form = _form(request, QueryDict())
    if request.method == "POST" and form.is_valid():
        try:
            planned = _planned(request.project, form)
            made = schedules.create(project=request.project, planned=planned, by=request.actor, now=timezone.now())
        except DomainError as error:
            _take(form, error)
        else:
            return redirect("evals:schedule-detail", project_slug=request.project.slug, uid=_uid(made))
    return render(request, "evals/schedule.html", {"form": form}, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.RUN_START)
def detail(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """What it does, to change, and what it started."""
    schedule = queries.schedule_in(request.project, uid)
    form = _form(request, _initial(schedule))
    if request.method == "POST" and form.is_valid():
        try:
            planned = _planned(request.project, form)
            schedules.edit(schedule=schedule, planned=planned, by=request.actor, now=timezone.now())
        except DomainError as error:
            _take(form, error)
        else:
            messages.success(request, "The schedule is changed.")
            return redirect("evals:schedule-detail", project_slug=request.project.slug, uid=uid)
    context = {"form": form, "schedule": _row(schedule), "starts": [_start(one) for one in queries.starts_of(schedule)]}
    return render(request, "evals/schedule.html", context, status=400 if form.errors else 200)


@require_POST
@access.requires(Permission.RUN_START)
def switch(request: access.ProjectRequest, uid: str) -> HttpResponse:
    schedule = queries.schedule_in(request.project, uid)
    schedules.switch(schedule=schedule, enabled=not schedule.enabled, by=request.actor, now=timezone.now())
    return redirect("evals:schedule-detail", project_slug=request.project.slug, uid=uid)


@require_POST
@access.requires(Permission.RUN_START)
def remove(request: access.ProjectRequest, uid: str) -> HttpResponse:
    schedules.remove(schedule=queries.schedule_in(request.project, uid), by=request.actor)
    messages.success(request, "The schedule is removed; its runs stay.")
    return redirect("evals:schedule-list", project_slug=request.project.slug)


@require_POST
@access.requires(Permission.RUN_READ)
def sign_off(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """The named person's word; the service refuses anybody else's."""
    run = run_queries.run_in(request.project, uid)
    accept = request.POST.get("accept") == "yes"
    note = request.POST.get("note", "").replace("\x00", "").strip()
    sign_offs.decide(run=run, accept=accept, note=note, by=request.actor, now=timezone.now())
    messages.success(request, "Signed off." if accept else "Refused; whoever reads the run sees it.")
    return redirect("evals:run-detail", project_slug=request.project.slug, uid=uid)


def _uid(schedule: Schedule) -> str:
    return ids.public("sch", schedule.uid)


def _form(request: access.ProjectRequest, initial: QueryDict) -> forms.ScheduleForm:
    people = [(person.email, person.name or person.email) for person in queries.members_of(request.project)]
    data = request.POST if request.method == "POST" else None
    return run_form(request.project, data, initial, forms.ScheduleForm, people=people)


def _planned(project: Project, form: forms.ScheduleForm) -> schedules.Planned:
    """:raises DomainError: for a person who is no member."""
    given = form.cleaned_data
    wanted: dict[str, Any] = {name: given[name] for name in PLAIN}
    if given["source"] == "recorded":
        wanted["recorded"] = given["recorded"]
    else:
        word = given["version"].strip().removeprefix("v")
        is_number = word.isascii() and word.isdigit() and len(word) < 9
        wanted |= {"prompt": given["prompt"], "version": int(word) if is_number else None}
        wanted["label"] = "" if is_number else word
    return schedules.Planned(
        name=given["name"],
        wanted=wanted,
        cron=given["cron"].strip(),
        time_zone=given["time_zone"].strip(),
        on_change=given["on_change"],
        sign_off_by=queries.member_in(project, given["sign_off_by"]),
    )


def _take(form: forms.ScheduleForm, error: DomainError) -> None:
    """The run's fields stand in the same form; a label is typed where a version is."""
    names = {name: name.removeprefix("run.") for name in error.fields} | {"run.label": "version"}
    forms.take_errors(form, error, names)


def _initial(schedule: Schedule) -> QueryDict:
    """What the form shows, as if it had been sent in an address."""
    wanted, query = schedule.wanted, QueryDict(mutable=True)
    plain = {name: wanted[name] for name in PLAIN if name != "evaluators" and wanted.get(name) is not None}
    plain |= {
        "name": schedule.name, "cron": schedule.cron, "time_zone": schedule.time_zone,
        "sign_off_by": schedule.sign_off_by.email if schedule.sign_off_by else "",
        "source": "recorded" if wanted.get("recorded") else "prompt", "recorded": wanted.get("recorded", ""),
        "prompt": wanted.get("prompt", ""), "version": wanted.get("version") or wanted.get("label") or "",
    }  # fmt: skip
    for name, value in plain.items():
        query[name] = str(value)
    query.setlist("evaluators", [one for one in wanted["evaluators"] if isinstance(one, str)])
    query.setlist("on_change", schedule.on_change)
    return query


def _row(schedule: Schedule) -> dict[str, Any]:
    person, wanted = schedule.sign_off_by, schedule.wanted
    what = wanted.get("prompt") or f"recorded “{wanted.get('recorded', '')}”"
    which = wanted.get("version") or wanted.get("label") or ""
    return {
        "uid": _uid(schedule),
        "name": schedule.name,
        "enabled": schedule.enabled,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "on_change": ", ".join(schedule.on_change),
        "next_due_at": schedule.next_due_at if schedule.enabled else None,
        "what": f"{what} {which}".strip(),
        "dataset": wanted.get("dataset", ""),
        "person": (person.name or person.email) if person else "",
        "last_at": schedule.last_at,  # type: ignore[attr-defined]
        "last_problem": schedule.last_problem,  # type: ignore[attr-defined]
        "inline": sum(not isinstance(one, str) for one in wanted.get("evaluators", [])),
    }


def _start(start: Any) -> dict[str, Any]:
    signed = getattr(start.run, "sign_off", None) if start.run else None
    return {
        "at": start.at,
        "cause": start.cause,
        "problem": start.problem,
        "run_uid": ids.public("run", start.run.uid) if start.run else "",
        "state": start.run.state if start.run else "",
        "signed": signed.state if signed else "",
    }
