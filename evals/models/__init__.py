from evals.models.certificate import JudgeCertificate
from evals.models.checkup import Checkup, CheckupFinding
from evals.models.dataset import Dataset, DatasetVersion, Example, Import, ImportProblem
from evals.models.evaluator import Evaluator, EvaluatorVersion
from evals.models.proposal import Proposal, ProposalRequest
from evals.models.run import JudgeVote, Result, Run, RunEvaluator, Score
from evals.models.run_group import RunGroup
from evals.models.schedule import Schedule, ScheduleStart, SignOff
from evals.models.work import TARGET, WorkerSlice, WorkItem

__all__ = [
    "TARGET",
    "Checkup",
    "CheckupFinding",
    "Dataset",
    "DatasetVersion",
    "Evaluator",
    "EvaluatorVersion",
    "Example",
    "Import",
    "ImportProblem",
    "JudgeCertificate",
    "JudgeVote",
    "Proposal",
    "ProposalRequest",
    "Result",
    "Run",
    "RunEvaluator",
    "RunGroup",
    "Schedule",
    "ScheduleStart",
    "Score",
    "SignOff",
    "WorkItem",
    "WorkerSlice",
]
