from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "llmops.demo"
    label = "demo"
