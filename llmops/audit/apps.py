from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "llmops.audit"
    label = "audit"
