from prompts.models.artifact import Artifact, ArtifactPath
from prompts.models.git import Commit, GitObject, GitPack, GitRef, Repository
from prompts.models.label import Deployment, Label
from prompts.models.version import Content, Version, VersionNumber, VersionPin
from prompts.models.work import Draft, TryOut

__all__ = [
    "Artifact",
    "ArtifactPath",
    "Commit",
    "Content",
    "Deployment",
    "Draft",
    "GitObject",
    "GitPack",
    "GitRef",
    "Label",
    "Repository",
    "TryOut",
    "Version",
    "VersionNumber",
    "VersionPin",
]
