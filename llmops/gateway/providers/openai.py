"""OpenAI."""

from __future__ import annotations

from llmops.gateway.providers.openai_compatible import OpenAICompatible


class OpenAI(OpenAICompatible):
    """Its newer models refuse `max_tokens`."""

    length_parameter = "max_completion_tokens"
