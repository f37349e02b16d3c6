"""Template tags of every page: icons, times, money, numbers with doubt, addresses with one parameter changed."""

from __future__ import annotations

import decimal
import json
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

import lucide
from django import template
from django.core.serializers.json import DjangoJSONEncoder
from django.template.context import Context
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """An icon of lucide as inline SVG, hidden from screen readers; `size` may be `small`."""
    return _drawn(str(name), str(size))


@lru_cache(maxsize=256)
def _drawn(name: str, size: str) -> SafeString:
    classes = f"icon is-{size}" if size else "icon"
    drawn = lucide._render_icon(name, None, **{"class": classes, "aria-hidden": "true"})
    return SafeString(drawn)  # the package's own drawing


@register.filter
def as_json(value: Any) -> str:
    """The value as JSON, for an attribute that a script reads; the template escapes it."""
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


@register.simple_tag(takes_context=True)
def query_with(context: Context, **changes: Any) -> str:
    """The page's query string with some parameters changed; an empty value removes one."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        if value in (None, ""):
            query.pop(name, None)
        else:
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def here(context: Context, *names: str) -> SafeString:
    """`aria-current="page"` in the rail when the page's URL name starts with one of the names."""
    match = getattr(context.get("request"), "resolver_match", None)
    view = match.view_name if match else ""
    return SafeString('aria-current="page"') if any(view.startswith(name) for name in names) else SafeString("")


@register.simple_tag
def address(name: str, *args: Any) -> str:
    """Like `url`, but empty when there is no such address."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


@register.simple_tag
def local_time(moment: datetime | None, form: str = "%-d %b %Y, %H:%M") -> SafeString:
    """A time that the browser shows in its own zone; without script it is UTC."""
    if moment is None:
        return SafeString("")
    text = moment.strftime(form)
    return format_html('<time datetime="{}" title="{} UTC" data-local>{}</time>', moment.isoformat(), text, text)


@register.filter
def money(value: Any) -> str:
    """US dollars, with as many digits as the amount needs: $12.40, $0.0031; “unknown” for None."""
    if value is None or value == "":
        return "unknown"
    amount = decimal.Decimal(str(value))
    if amount == 0:
        return "$0"
    if abs(amount) >= 1:
        return f"${amount:,.2f}"
    digits = max(2, 1 - amount.adjusted())
    return f"${amount:.{min(digits, 8)}f}"


@register.filter
def milliseconds(value: Any) -> str:
    """A duration as people read it: 340 ms, 2.84 s, 4 min 10 s; a dash for None."""
    if value is None or value == "":
        return "–"
    number = float(value)
    if number < 1000:
        return f"{number:.0f} ms"
    if number < 60_000:
        return f"{number / 1000:.2f} s"
    minutes, seconds = divmod(round(number / 1000), 60)
    return f"{minutes} min {seconds} s"


@register.filter
def percent(value: Any, n: Any = None) -> str:
    """A share as a percentage: one decimal, none when n is below 100."""
    if value is None or value == "":
        return "–"
    digits = 0 if n is not None and int(n) < 100 else 1
    return f"{float(value) * 100:.{digits}f} %"


@register.filter
def points(value: Any, places: int = 1) -> str:
    """A difference of shares in percentage points, with its sign; a dash for None."""
    if value is None or value == "":
        return "–"
    return f"{float(value) * 100:+.{places}f} points".replace("-", "−")


@register.filter
def p_value(value: Any) -> str:
    """A p value as people read it: 0.041, or < 0.001."""
    if value is None or value == "":
        return "–"
    return "< 0.001" if float(value) < 0.001 else f"{float(value):.3f}"


@register.filter
def short(sha: Any) -> str:
    """The first seven digits of a hash."""
    return str(sha)[:7]


@register.inclusion_tag("components/_interval.html")
def interval(
    low: float,
    point: float,
    high: float,
    start: float = 0.0,
    end: float = 1.0,
    reference: float | None = None,
    tone: str = "neutral",
    label: str = "",
) -> dict[str, Any]:
    """The bar with the tick: an estimate and its 95 % interval on the axis from `start` to `end`."""
    at = _scale(float(start), float(end))
    return {
        "low": at(low),
        "point": at(point),
        "high": at(high),
        "reference": None if reference is None else at(reference),
        "tone": tone,
        "label": label or f"{point:.3g}, interval {low:.3g} to {high:.3g}",
    }


def _scale(start: float, end: float) -> Callable[[float], float]:
    width = (end - start) or 1.0
    return lambda value: round(min(100.0, max(0.0, (float(value) - start) / width * 100)), 2)
