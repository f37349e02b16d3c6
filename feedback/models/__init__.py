from feedback.models.annotation import Annotation, HumanFigure, Settled
from feedback.models.call import Call
from feedback.models.definition import ScoreDefinition
from feedback.models.erasure import Erasure
from feedback.models.event import FeedbackEvent
from feedback.models.hour import DayStat, DirtyHour, HourStat
from feedback.models.inbox import InboxItem, ItemTag
from feedback.models.loose_span import LooseSpan
from feedback.models.mask import MaskRule
from feedback.models.queue import Queue, QueueItem, QueuePerson, Seat
from feedback.models.refusal import Refusal
from feedback.models.review import SavedView, TriageAction
from feedback.models.rubric import Rubric, RubricVersion
from feedback.models.seen import Seen
from feedback.models.theme import Clustering, Theme, ThemeDraft
from feedback.models.vote import Vote

__all__ = [
    "Annotation",
    "Call",
    "Clustering",
    "DayStat",
    "DirtyHour",
    "Erasure",
    "FeedbackEvent",
    "HourStat",
    "HumanFigure",
    "InboxItem",
    "ItemTag",
    "LooseSpan",
    "MaskRule",
    "Queue",
    "QueueItem",
    "QueuePerson",
    "Refusal",
    "Rubric",
    "RubricVersion",
    "SavedView",
    "ScoreDefinition",
    "Seat",
    "Seen",
    "Settled",
    "Theme",
    "ThemeDraft",
    "TriageAction",
    "Vote",
]
