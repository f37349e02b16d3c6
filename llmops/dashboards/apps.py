from django.apps import AppConfig


class DashboardsConfig(AppConfig):
    name = "llmops.dashboards"
    label = "dashboards"
