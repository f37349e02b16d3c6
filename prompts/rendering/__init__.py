"""Templates of prompts: a small, safe part of Jinja2, parsed by Jinja2 and rendered by walking the checked tree."""

from prompts.rendering.problems import TemplateProblem
from prompts.rendering.template import Template, parse
from prompts.rendering.walker import Limits, render, render_all

__all__ = ["Limits", "Template", "TemplateProblem", "parse", "render", "render_all"]
