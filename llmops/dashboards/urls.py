"""Home, monitor, notifications, search: pages that may see everything."""

from __future__ import annotations

from django.urls import path

from llmops.dashboards.views import home, monitor, notifications, search

app_name = "dashboards"
urlpatterns = [
    path("", home.home, name="home"),
    path("monitor/", monitor.monitor, name="monitor"),
    path("search/", search.search, name="search"),
    path("notifications/", notifications.listing, name="notifications"),
    path("notifications/read", notifications.mark_read, name="notifications-read"),
]
