"""Label Studio: tasks with annotations as its JSON export holds them, and its labeling configuration."""

from feedback.labelfiles.label_studio.config import config
from feedback.labelfiles.label_studio.reading import read
from feedback.labelfiles.label_studio.settings import asked
from feedback.labelfiles.label_studio.tasks import task

__all__ = ["asked", "config", "read", "task"]
