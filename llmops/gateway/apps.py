from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "llmops.gateway"
    label = "gateway"

    def ready(self) -> None:
        from llmops.gateway import receivers  # noqa: F401, PLC0415 (app ready)
