from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "llmops.accounts"
    label = "accounts"
