"""What a model is asked about a theme, and how its answer is read. Pure code."""

from feedback.drafting.names import ask_name, read_name
from feedback.drafting.prompts import Change, ask_change, read_change
from feedback.drafting.shapes import Asked, Complaint, UnreadableDraftError

__all__ = [
    "Asked",
    "Change",
    "Complaint",
    "UnreadableDraftError",
    "ask_change",
    "ask_name",
    "read_change",
    "read_name",
]
