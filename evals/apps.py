from django.apps import AppConfig


class EvalsConfig(AppConfig):
    name = "evals"

    def ready(self) -> None:
        from evals import receivers  # noqa: F401, PLC0415  # connects them
