"""Git over HTTP."""

from __future__ import annotations

from django.urls import path

from prompts.views import git

urlpatterns = [
    path("<slug:project_slug>.git/info/refs", git.info_refs, name="git-info-refs"),
    path("<slug:project_slug>.git/git-upload-pack", git.upload_pack, name="git-upload-pack"),
    path("<slug:project_slug>.git/git-receive-pack", git.receive_pack, name="git-receive-pack"),
]
