"""The Prompty file format: YAML front matter, then `system:` / `user:` / `assistant:` parts."""

from prompts.prompty.reading import PromptyProblem, read
from prompts.prompty.spec import InputSpec, Part, PromptSpec
from prompts.prompty.writing import write

__all__ = ["InputSpec", "Part", "PromptSpec", "PromptyProblem", "read", "write"]
