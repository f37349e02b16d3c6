"""Pages of connections, in the project's settings."""

from __future__ import annotations

from django.urls import path

from llmops.gateway.views import connections

app_name = "gateway"
urlpatterns = [
    path("settings/connections/", connections.listing, name="connection-list"),
    path("settings/connections/new/", connections.create, name="connection-new"),
    path("settings/connections/prices/", connections.put_price, name="price-put"),
    path("settings/connections/prices/remove/", connections.remove_price, name="price-remove"),
    path("settings/connections/<uuid:uid>/", connections.edit, name="connection-edit"),
    path("settings/connections/<uuid:uid>/test/", connections.test, name="connection-test"),
    path("settings/connections/<uuid:uid>/outcome/", connections.outcome, name="connection-outcome"),
    path("settings/connections/<uuid:uid>/default/", connections.make_default, name="connection-default"),
    path("settings/connections/<uuid:uid>/archive/", connections.archive, name="connection-archive"),
]
