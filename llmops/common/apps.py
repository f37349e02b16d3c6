from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "llmops.common"
    label = "common"

    def ready(self) -> None:
        from llmops.common import access_check  # noqa: F401, PLC0415 (app ready)
