"""Who may do what: one enum of permissions; a role is a set of them."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """One thing that a member or a key may do. The value is the scope's name in API keys."""

    PROJECT_VIEW = "project:view"
    PROMPT_READ = "prompt:read"
    PROMPT_WRITE = "prompt:write"
    PROMPT_TRY = "prompt:try"
    LABEL_MOVE = "label:move"
    LABEL_RELEASE = "label:release"  # move a protected label, such as production
    DATASET_READ = "dataset:read"
    DATASET_WRITE = "dataset:write"
    EVALUATOR_READ = "evaluator:read"
    EVALUATOR_WRITE = "evaluator:write"
    RUN_READ = "run:read"
    RUN_START = "run:start"
    CALL_SEND = "call:send"
    FEEDBACK_SEND = "feedback:send"
    FEEDBACK_READ = "feedback:read"
    FEEDBACK_TRIAGE = "feedback:triage"
    ANNOTATION_WRITE = "annotation:write"  # label in the queues that one is named in
    ANNOTATION_READ = "annotation:read"  # see every queue, and what others answered
    QUEUE_WRITE = "queue:write"  # make rubrics and queues, fill them, settle answers
    MONITOR_READ = "monitor:read"
    KEY_OWN = "key:own"  # make and revoke one's own personal keys
    KEY_MANAGE = "key:manage"
    MEMBER_READ = "member:read"
    MEMBER_MANAGE = "member:manage"
    CONNECTION_READ = "connection:read"
    CONNECTION_MANAGE = "connection:manage"
    PROJECT_MANAGE = "project:manage"
    AUDIT_READ = "audit:read"
    DATA_ERASE = "data:erase"
    DATA_EXPORT = "data:export"  # every call with its feedback as a file


P = Permission

LABELER = frozenset({P.PROJECT_VIEW, P.ANNOTATION_WRITE, P.KEY_OWN})
VIEWER = frozenset(
    {
        P.PROJECT_VIEW,
        P.PROMPT_READ,
        P.DATASET_READ,
        P.EVALUATOR_READ,
        P.RUN_READ,
        P.FEEDBACK_READ,
        P.ANNOTATION_READ,
        P.MONITOR_READ,
        P.MEMBER_READ,
        P.CONNECTION_READ,
        P.KEY_OWN,
    }
)
EDITOR = (
    VIEWER
    | LABELER
    | {
        P.PROMPT_WRITE,
        P.PROMPT_TRY,
        P.LABEL_MOVE,
        P.DATASET_WRITE,
        P.EVALUATOR_WRITE,
        P.RUN_START,
        P.CALL_SEND,
        P.FEEDBACK_SEND,
        P.FEEDBACK_TRIAGE,
        P.QUEUE_WRITE,
    }
)
RELEASER = EDITOR | {P.LABEL_RELEASE}
ADMIN = frozenset(Permission)

ROLES: dict[str, frozenset[Permission]] = {
    "viewer": VIEWER,
    "labeler": LABELER,
    "editor": frozenset(EDITOR),
    "releaser": frozenset(RELEASER),
    "admin": ADMIN,
}

# A server key does the daily work of the loop and manages nothing; a browser key may only send feedback.
SECRET_SCOPES = frozenset(RELEASER) - {P.KEY_OWN}
PUBLISHABLE_SCOPES = frozenset({P.FEEDBACK_SEND})
