"""Plotly templates for both themes of the pages: the colours of static/css/tokens.css as hex, which plotly reads."""

from __future__ import annotations

from typing import Any

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif'


def _template(
    *, surface: str, raised: str, ink: str, soft: str, faint: str, grid: str, line: str, colorway: list[str]
) -> dict[str, Any]:
    axis = {
        "gridcolor": grid,
        "linecolor": line,
        "zerolinecolor": line,
        "tickcolor": line,
        "tickfont": {"size": 11, "color": faint},
        "automargin": True,
    }
    return {
        "layout": {
            "paper_bgcolor": surface,
            "plot_bgcolor": surface,
            "font": {"family": FONT, "size": 12, "color": soft},
            "colorway": colorway,
            "xaxis": {**axis, "showgrid": False, "ticks": "outside", "ticklen": 4},
            "yaxis": {**axis, "showgrid": True},
            "legend": {"font": {"size": 12, "color": soft}, "bgcolor": "rgba(0,0,0,0)"},
            "hoverlabel": {"bgcolor": raised, "bordercolor": line, "font": {"family": FONT, "size": 12, "color": ink}},
            "shapedefaults": {"line": {"color": faint, "width": 1, "dash": "dot"}},
            "annotationdefaults": {"font": {"size": 11, "color": soft}, "showarrow": False, "yanchor": "bottom"},
            "bargap": 0.15,
        }
    }


THEMES = {
    "light": _template(
        surface="#ffffff",
        raised="#ffffff",
        ink="#191e27",
        soft="#474e57",
        faint="#60676f",
        grid="#e3e5e8",
        line="#cbd0d4",
        colorway=["#246ab4", "#b46d20", "#1c8580", "#9e4573", "#6d7580"],
    ),
    "dark": _template(
        surface="#14171c",
        raised="#1d2126",
        ink="#e9ebee",
        soft="#b2b6bc",
        faint="#959aa1",
        grid="#262a30",
        line="#3c4249",
        colorway=["#66aced", "#e8ac5c", "#67c5bf", "#de8cb3", "#949ca7"],
    ),
}
