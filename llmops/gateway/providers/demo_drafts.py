"""What the demo provider drafts about a theme: the material's own words, and the sentence that no model wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llmops.gateway.types import CompletionRequest


def drafted(request: CompletionRequest) -> dict[str, Any] | None:
    """A name or a changed prompt, when the schema asks for one; None for anything else."""
    wanted = set((request.response_schema or {}).get("properties", {}))
    if wanted not in ({"name"}, {"messages", "why"}):
        return None
    material = _material(request)
    terms = [str(term) for term in material.get("terms", [])][:3] if isinstance(material.get("terms"), list) else []
    if wanted == {"name"}:
        return {"name": " ".join(["Demo:", *(terms or ["no", "words"])])[:80]}
    messages = [dict(message) for message in material.get("prompt", []) if isinstance(message, Mapping)]
    if not messages:
        return None
    rule = f"Take care of what users complain about: {', '.join(terms) or 'the answers'}."
    messages[0]["content"] = f"{messages[0].get('content', '')}\n{rule}"
    return {"messages": messages, "why": "The demo provider added the theme’s top terms; no model was called."}


def _material(request: CompletionRequest) -> dict[str, Any]:
    try:
        found = json.loads(request.messages[-1].text) if request.messages else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
