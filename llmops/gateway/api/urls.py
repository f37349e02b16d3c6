"""Addresses of the connections' API."""

from __future__ import annotations

from django.urls import path

from llmops.gateway.api import connections

urlpatterns = [
    path("connections", connections.ConnectionList.as_view(), name="api-connections"),
    path("connections/<str:uid>", connections.ConnectionDetail.as_view(), name="api-connection"),
    path("connections/<str:uid>/test", connections.ConnectionTest.as_view(), name="api-connection-test"),
]
