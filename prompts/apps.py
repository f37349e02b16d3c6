from django.apps import AppConfig


class PromptsConfig(AppConfig):
    name = "prompts"

    def ready(self) -> None:
        from llmops.common import api  # noqa: PLC0415 (app ready)
        from prompts.api import prompts  # noqa: PLC0415 (app ready)

        api.describe_plain(prompts.plain_operations)
