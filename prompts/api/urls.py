"""Addresses of the prompts' API. `versions`, `labels`, `render` and `-` are never part of a prompt's path."""

from __future__ import annotations

from django.urls import path

from prompts.api import files, labels, prompts

urlpatterns = [
    path("prompts", prompts.PromptList.as_view(), name="api-prompts"),
    path("prompts/-/files/<path:path>", files.PromptFile.as_view(), name="api-prompt-file"),
    path("prompts/<path:path>/versions", prompts.Versions.as_view(), name="api-prompt-versions"),
    path("prompts/<path:path>/labels", labels.LabelList.as_view(), name="api-prompt-labels"),
    path("prompts/<path:path>/labels/<str:label>", labels.LabelDetail.as_view(), name="api-prompt-label"),
    path("prompts/<path:path>/render", prompts.Render.as_view(), name="api-prompt-render"),
    path("prompts/<path:path>", prompts.fetch, name="api-prompt"),
]
