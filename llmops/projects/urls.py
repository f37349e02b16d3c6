"""A project's settings."""

from __future__ import annotations

from django.urls import path

from llmops.projects.views import audit, keys, members, settings

app_name = "projects"
urlpatterns = [
    path("settings/", settings.first, name="settings"),
    path("settings/general/", settings.general, name="general"),
    path("settings/delete/", settings.delete, name="delete"),
    path("settings/members/", members.members, name="members"),
    path("settings/members/invite/", members.invite, name="invite"),
    path("settings/members/leave/", members.leave, name="leave"),
    path("settings/members/<uuid:uid>/role/", members.change_role, name="member-role"),
    path("settings/members/<uuid:uid>/remove/", members.remove, name="member-remove"),
    path("settings/invitations/<uuid:uid>/revoke/", members.revoke_invitation, name="invitation-revoke"),
    path("settings/keys/", keys.keys, name="keys"),
    path("settings/keys/<uuid:uid>/revoke/", keys.revoke, name="key-revoke"),
    path("settings/audit/", audit.trail, name="audit"),
]
