"""Versions of one prompt: the list, one of them, two of them side by side, and the labels on them."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render

from llmops.projects import access
from llmops.projects.permissions import Permission
from prompts import diffing, forms, queries
from prompts.views.prompts import _head

PAGE = 50


@access.requires(Permission.PROMPT_READ)
def version_list(request: access.ProjectRequest, path: str, form: forms.MoveLabel | None = None) -> HttpResponse:
    """Every version with its labels, and every move of a label."""
    artifact = queries.artifact_in(request.project, path)
    head = _head(artifact)
    by_version: dict[int, list[str]] = {}
    for label in head["labels"]:  # type: ignore[attr-defined]
        by_version.setdefault(label.version_id, []).append(label.name)
    page = Paginator(queries.versions_of(artifact), PAGE).get_page(request.GET.get("page"))
    context = {
        "artifact": artifact,
        "head": head,
        "page": page,
        "rows": [(version, by_version.get(version.pk, [])) for version in page],
        "deployments": list(queries.deployments_of(artifact)[:30]),
        "tab": "versions",
        "may_release": Permission.LABEL_RELEASE in request.permissions,
    }
    return render(request, "prompts/version_list.html", context)


@access.requires(Permission.PROMPT_READ)
def version_detail(request: access.ProjectRequest, path: str, number: int) -> HttpResponse:
    """One version as it is in git."""
    artifact = queries.artifact_in(request.project, path)
    version = queries.version_in(artifact, number=number)
    context = {
        "artifact": artifact,
        "head": _head(artifact),
        "version": version,
        "pins": version.pins.select_related("pinned__numbered").order_by("path"),
        "tab": "versions",
    }
    return render(request, "prompts/version_detail.html", context)


@access.requires(Permission.PROMPT_READ)
def compare(request: access.ProjectRequest, path: str) -> HttpResponse:
    """What changed between two versions; by default, the newest one against what is live, else the one before."""
    artifact = queries.artifact_in(request.project, path)
    head = _head(artifact)
    newest = head["latest"].numbered.number  # type: ignore[attr-defined]
    live = next((label.version.numbered.number for label in head["labels"] if label.name == "production"), newest)  # type: ignore[attr-defined]
    default = live if live != newest else max(1, newest - 1)
    old = queries.version_in(artifact, number=_number(request.GET.get("from"), default))
    new = queries.version_in(artifact, number=_number(request.GET.get("to"), newest))
    context = {
        "artifact": artifact,
        "head": head,
        "old": old,
        "new": new,
        "choices": list(queries.versions_of(artifact)[:200]),
        "diff": diffing.compare(old.content.prompt, new.content.prompt),
        "tab": "compare",
    }
    return render(request, "prompts/compare.html", context)


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else default
