"""promptfoo's providers: which model a prompt names, with which parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llmops_client.importers.promptfoo.context import Context, Place, is_code
from llmops_client.importers.reading import NotThere

Json = Any
OWN = frozenset({"openai", "anthropic"})
# Servers that speak OpenAI's format: a connection of the kind openai-compatible reaches them.
COMPATIBLE = frozenset(
    {
        "aimlapi", "azure", "azureopenai", "cerebras", "cloudflare-ai", "cometapi", "databricks", "deepseek",
        "docker", "fireworks", "github", "google", "groq", "helicone", "hyperbolic", "litellm", "llamafile",
        "lmstudio", "localai", "mistral", "nscale", "ollama", "openrouter", "perplexity", "portkey", "together",
        "togetherai", "truefoundry", "vllm", "xai",
    }
)  # fmt: skip
TALK = frozenset({"chat", "responses", "completion", "messages"})
NO_TALK = frozenset(
    {
        "agents", "assistant", "assistants", "audio", "claude-agent-sdk", "codex-sdk", "embedding",
        "embeddings", "foundry-agent", "image", "images", "live", "moderation", "realtime", "speech",
        "transcription", "tts", "video",
    }
)  # fmt: skip
PARAMETERS = frozenset(
    {
        "temperature", "max_tokens", "max_completion_tokens", "max_output_tokens", "top_p", "top_k", "stop",
        "seed", "frequency_penalty", "presence_penalty", "response_format", "reasoning_effort", "reasoning",
    }
)  # fmt: skip
SPELLINGS = {"maxOutputTokens": "max_tokens", "num_predict": "max_tokens", "topP": "top_p", "topK": "top_k"}
OF_CONNECTION = frozenset(
    {
        "apiKey", "apiKeyEnvar", "apiBaseUrl", "apiHost", "apiVersion", "organization", "region", "projectId",
        "maxRetries", "timeout", "headers",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Model:
    name: str = ""
    options: dict[str, Json] = field(default_factory=dict)
    tools: Json = None


def read(data: Json, context: Context, key: str) -> Model:
    """The first model that the platform can ask; findings name the rest."""
    if data is None:
        return Model()
    listed = data if isinstance(data, list) else [data]
    models = []
    for number, one in enumerate(listed):
        place = context.at(key, number) if isinstance(data, list) else context.at(key)
        models += [model for part in _expanded(one, place, context) if (model := _model(*part, place, context))]
    if len(models) > 1:
        others = ", ".join(model.name for model in models[1:])
        context.note(context.at(key), "the prompt names the first model; --model asks another", others[:200])
    return models[0] if models else Model()


def _expanded(one: Json, place: Place, context: Context) -> list[tuple[str, Json]]:
    """(id, config) of each provider that an entry means."""
    if isinstance(one, str) and one.startswith("file://") and not is_code(one):
        try:
            loaded, _ = context.loaded(one)
        except NotThere as error:
            context.lose(place, "file of a provider", str(error))
            return []
        parts = loaded if isinstance(loaded, list) else [loaded]
        return [(str(part["id"]), part.get("config")) for part in parts if isinstance(part, dict) and "id" in part]
    if isinstance(one, str):
        return [(one, None)]
    if isinstance(one, dict) and isinstance(one.get("id"), str):
        for name in ("transform", "prompts", "delay", "inputs"):
            if name in one:
                (context.note if name == "delay" else context.lose)(place, "setting of a provider", name)
        return [(one["id"], one.get("config"))]
    if isinstance(one, dict) and len(one) == 1:
        [(name, about)] = one.items()
        return [(str(name), about.get("config") if isinstance(about, dict) else None)]
    context.lose(place, "provider", "neither a name nor an object with an id")
    return []


def _model(name: str, config: Json, place: Place, context: Context) -> Model | None:
    prefix, _, rest = name.partition(":")
    kind, _, behind = rest.partition(":")
    if kind in NO_TALK or any(word in rest for word in ("embedding", "dall-e", "gpt-image", "realtime", "tts-")):
        context.lose(place, "provider that is no chat model", name)
        return None
    model = behind if kind in TALK else rest
    if prefix not in OWN | COMPATIBLE or not model:
        context.lose(place, "unknown provider", name[:120])
        return None
    if prefix in COMPATIBLE:
        context.note(place, "needs a connection to an OpenAI-compatible server", name[:120])
    options: dict[str, Json] = {}
    tools = None
    settings: dict[str, Json] = config if isinstance(config, dict) else {}
    for key, value in settings.items():
        if key == "tools":
            tools = _tools(value, place, context)
        elif SPELLINGS.get(key, key) in PARAMETERS and not _names_files(value):
            options[SPELLINGS.get(key, key)] = value
        elif key in OF_CONNECTION:
            context.note(place, "belongs to the connection", key)
        else:
            context.lose(place, "setting of a provider", key)
    return Model(model, options, tools)


def _tools(value: Json, place: Place, context: Context) -> Json:
    if isinstance(value, str) and value.startswith("file://") and not is_code(value):
        try:
            value, _ = context.loaded(value)
        except NotThere as error:
            context.lose(place, "file of tools", str(error))
            return None
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return value
    context.lose(place, "setting of a provider", "tools")
    return None


def _names_files(value: Json) -> bool:
    return "file://" in str(value)
