from llmops.projects.models.api_key import ApiKey
from llmops.projects.models.invitation import Invitation
from llmops.projects.models.membership import Membership
from llmops.projects.models.notification import Notification
from llmops.projects.models.project import Project

__all__ = ["ApiKey", "Invitation", "Membership", "Notification", "Project"]
