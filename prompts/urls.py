"""Pages of prompts. `-` is no part of any prompt's path, so it sets apart what is done with one."""

from __future__ import annotations

from django.urls import path

from prompts.views import labels, prompts, tryouts, versions

app_name = "prompts"
urlpatterns = [
    path("prompts/", prompts.prompt_list, name="list"),
    path("prompts/-/new/", prompts.new, name="new"),
    path("prompts/-/check/", prompts.check, name="check"),
    path("prompts/-/try/", tryouts.start, name="try"),
    path("prompts/-/try/<str:uid>/", tryouts.show, name="tryout"),
    path("prompts/-/try/<str:uid>/cancel/", tryouts.cancel, name="tryout-cancel"),
    path("prompts/<path:path>/-/versions/", versions.version_list, name="versions"),
    path("prompts/<path:path>/-/versions/<int:number>/", versions.version_detail, name="version"),
    path("prompts/<path:path>/-/compare/", versions.compare, name="compare"),
    path("prompts/<path:path>/-/label/", labels.move, name="move-label"),
    path("prompts/<path:path>/-/label/<str:label>/roll-back/", labels.roll_back, name="roll-back"),
    path("prompts/<path:path>/-/label/<str:label>/protect/", labels.protect, name="label-protect"),
    path("prompts/<path:path>/-/label/<str:label>/remove/", labels.remove, name="label-remove"),
    path("prompts/<path:path>/-/settings/", prompts.settings, name="settings"),
    path("prompts/<path:path>/-/archive/", prompts.archive, name="archive"),
    path("prompts/<path:path>/", prompts.editor, name="editor"),
]
