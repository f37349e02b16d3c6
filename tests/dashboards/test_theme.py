"""Charts have the colours of the pages: plotly reads hex, the pages OKLCH, and both must stay one palette."""

from __future__ import annotations

import math
import re

import pytest
from django.conf import settings

from llmops.common.plot_theme import THEMES

TOKENS = (settings.BASE_DIR / "static" / "css" / "tokens.css").read_text()
COLOUR = r"oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)"


def _hex(lightness: float, chroma: float, hue: float) -> str:
    """OKLCH to sRGB by Ottosson's published matrices (bottosson.github.io/posts/oklab)."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _encoded(min(1.0, max(0.0, part)))):02x}" for part in linear)


def _encoded(part: float) -> float:
    return float(12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055)


def _token(name: str, theme: str) -> str:
    found = re.search(rf"--{name}:\s*light-dark\({COLOUR},\s*{COLOUR}\)", TOKENS)
    assert found, name
    parts = [float(part) for part in found.groups()]
    return _hex(*(parts[:3] if theme == "light" else parts[3:]))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_lines_of_charts_are_the_chart_tokens(theme: str) -> None:
    assert THEMES[theme]["layout"]["colorway"] == [_token(f"chart-{number}", theme) for number in range(1, 6)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_paper_text_and_axes_are_the_tokens_of_the_page(theme: str) -> None:
    layout = THEMES[theme]["layout"]
    shown = [
        layout["paper_bgcolor"],
        layout["hoverlabel"]["bgcolor"],
        layout["hoverlabel"]["font"]["color"],
        layout["font"]["color"],
        layout["xaxis"]["tickfont"]["color"],
        layout["xaxis"]["gridcolor"],
        layout["xaxis"]["linecolor"],
    ]
    names = ["surface", "raised", "ink", "ink-2", "ink-3", "line", "line-strong"]
    assert shown == [_token(name, theme) for name in names]
