from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    name = "feedback"

    def ready(self) -> None:
        from feedback.api import schema  # noqa: PLC0415 (app ready)
        from llmops.common import api  # noqa: PLC0415 (app ready)

        api.describe_plain(schema.operations)
