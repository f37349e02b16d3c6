"""The audit trail."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from llmops.audit import queries as audit
from llmops.common.errors import Invalid
from llmops.projects import access
from llmops.projects.permissions import Permission

LONGEST = 100
LARGEST_ID = 2**63 - 1


@require_safe
@access.requires(Permission.AUDIT_READ)
def trail(request: access.ProjectRequest) -> HttpResponse:
    """Newest first, by area, actor and thing; `before` is the cursor."""
    wanted = {name: _text(request, name) for name in ("area", "actor", "target")}
    page = audit.page_of(
        request.project.pk,
        area=wanted["area"],
        actor=wanted["actor"],
        target=wanted["target"],
        before=_cursor(request),
    )
    filters = {name: value for name, value in wanted.items() if value}
    context = {
        "page": page,
        "areas": audit.areas(),
        "wanted": wanted,
        "is_filtered": bool(filters),
        "older": urlencode({**filters, "before": page.older}) if page.older else "",
        "tab": "audit",
    }
    return render(request, "projects/settings_audit.html", context)


def _text(request: HttpRequest, name: str) -> str:
    text = request.GET.get(name, "").replace("\x00", "").strip()
    if len(text) > LONGEST:
        raise Invalid(f"The filter “{name}” is too long.", fields={name: f"at most {LONGEST} characters"})
    return text


def _cursor(request: HttpRequest) -> int | None:
    text = request.GET.get("before", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_ID):
        raise Invalid("This is not a place in the trail.", fields={"before": "take it from a page's link"})
    return int(text)
