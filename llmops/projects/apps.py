from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "llmops.projects"
    label = "projects"

    def ready(self) -> None:
        from llmops.projects import openapi  # noqa: F401, PLC0415 (app ready)
