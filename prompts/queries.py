"""Reads about prompts, versions and labels, shared by pages, the API and the apps above."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Prefetch, QuerySet, Subquery

from llmops.common.errors import Invalid, NotFound
from llmops.projects.models import Project
from prompts.models import Artifact, Commit, Deployment, Draft, Label, TryOut, Version, VersionNumber, VersionPin

LATEST = "latest"
DEFAULT_LABEL = "production"

_COMMIT = re.compile(r"\A[0-9a-f]{7,40}\Z")


@dataclass(frozen=True, slots=True)
class ResolvedVersion:
    """One version with all that a client fetches of it."""

    version: Version
    artifact: Artifact
    number: int | None
    labels: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The fields of the API, in its order."""
        content = self.version.content
        spec = content.spec
        return {
            "name": self.artifact.path,
            "kind": self.artifact.kind,
            "version": self.number,
            "commit": self.version.commit.hex,
            "blob": content.blob,
            "labels": list(self.labels),
            "messages": [{"role": part["role"], "content": part["content"]} for part in spec["parts"]],
            "model": spec["model"],
            "parameters": spec["parameters"],
            "inputs": content.inputs,
            "outputs": spec["outputs"],
            "created_at": self.version.created_at.isoformat(),
            "message": self.version.commit.message.strip(),
        }


@dataclass(frozen=True, slots=True)
class PromptRow:
    """One line of the list of prompts."""

    artifact: Artifact
    number: int
    changed_at: datetime
    changed_by: str
    labels: tuple[tuple[str, int], ...]


def live_artifact(project: Project, path: str) -> Artifact | None:
    """The prompt at the path, unless it is archived."""
    return Artifact.objects.live().filter(project=project, path=path).first()


def artifact_in(project: Project, path: str) -> Artifact:
    """:raises NotFound: when there is no live prompt at the path."""
    artifact = live_artifact(project, path)
    if artifact is None:
        raise NotFound(f"There is no prompt “{path[:200]}” in this project.")
    return artifact


def versions_of(artifact: Artifact) -> QuerySet[Version]:
    """The numbered versions, newest first, with number, commit and content."""
    return (
        Version.objects.filter(artifact=artifact, numbered__isnull=False)
        .select_related("numbered", "commit", "content", "by_user")
        .order_by("-numbered__number")
    )


def numbered_version(artifact: Artifact, number: int | None) -> Version | None:
    """The version of this number on the main line, if there is one."""
    return versions_of(artifact).filter(numbered__number=number).first() if number else None


def latest_of(artifact: Artifact) -> Version | None:
    """The version with the highest number."""
    return versions_of(artifact).first()


def labels_of(artifact: Artifact) -> QuerySet[Label]:
    return (
        Label.objects.filter(artifact=artifact)
        .select_related("version__numbered", "version__commit")
        .order_by("-protected", "name")
    )


def label_in(artifact: Artifact, name: str) -> Label:
    """:raises NotFound: when the prompt has no such label."""
    label = labels_of(artifact).filter(name=name).first()
    if label is None:
        raise NotFound(f"“{artifact.path}” has no label “{name[:60]}”.")
    return label


def version_in(
    artifact: Artifact, *, number: int | None = None, label: str | None = None, commit: str | None = None
) -> Version:
    """One version, by number, by label (`latest` is built in) or by commit (7 to 40 digits).

    :raises NotFound: when there is none.
    """
    if number is not None:
        found = versions_of(artifact).filter(numbered__number=number).first()
        missing = f"version {number}"
    elif commit is not None:
        found, missing = _at_commit(artifact, commit), f"version at commit {commit[:40]}"
    elif label in (None, LATEST):
        found, missing = latest_of(artifact), "version"
    else:
        return versions_of(artifact).get(pk=label_in(artifact, str(label)).version_id)
    if found is None:
        raise NotFound(f"“{artifact.path}” has no {missing}.")
    return found


def _at_commit(artifact: Artifact, commit: str) -> Version | None:
    commit = commit.lower()
    if not _COMMIT.match(commit):
        raise Invalid("A commit is 7 to 40 hexadecimal digits.", fields={"commit": "7 to 40 hexadecimal digits"})
    # Whole bytes make an index range; an odd last digit is compared afterwards.
    low = bytes.fromhex(commit[: len(commit) // 2 * 2])
    found = versions_of(artifact).filter(commit__sha__gte=low.ljust(20, b"\0"), commit__sha__lte=low.ljust(20, b"\xff"))
    matches = [version for version in found[:50] if version.commit.hex.startswith(commit)]
    if len(matches) > 1:
        raise Invalid(f"The commit {commit} is ambiguous; give more digits.", fields={"commit": "ambiguous"})
    return matches[0] if matches else None


def resolved(artifact: Artifact, version: Version) -> ResolvedVersion:
    """A version with its labels, as the API shows it."""
    labels = Label.objects.filter(artifact=artifact, version=version).order_by("name").values_list("name", flat=True)
    number = VersionNumber.objects.filter(version=version).values_list("number", flat=True).first()
    return ResolvedVersion(version, artifact, number, tuple(labels))


def version_by_id(project: Project, version_id: int) -> Version:
    """:raises NotFound: when the project has no such version."""
    version = (
        Version.objects.filter(project=project, pk=version_id)
        .select_related("artifact", "numbered", "commit", "content")
        .first()
    )
    if version is None:
        raise NotFound("There is no such version in this project.")
    return version


def included_artifacts(version: Version) -> set[int]:
    """The artifacts that a version reaches through its includes, itself among them."""
    reached, waiting = {version.artifact_id}, [version.pk]
    while waiting:
        pins = VersionPin.objects.filter(version_id__in=waiting).values_list("pinned_id", "pinned__artifact_id")
        waiting = [pinned for pinned, artifact in pins if artifact not in reached]
        reached.update(artifact for _, artifact in pins)
    return reached


def pinned_contents(version: Version) -> dict[tuple[int, str], Version]:
    """For each (version, path) on the way of the includes: the version that is meant."""
    found: dict[tuple[int, str], Version] = {}
    waiting = {version.pk}
    seen: set[int] = set()
    while waiting:
        seen |= waiting
        pins = VersionPin.objects.filter(version_id__in=waiting).select_related("pinned__content")
        found.update({(pin.version_id, pin.path): pin.pinned for pin in pins})
        waiting = {pin.pinned_id for pin in pins} - seen
    return found


def artifacts_in(project: Project, *, search: str = "", folder: str = "") -> QuerySet[Artifact]:
    """The live prompts by path; `search` in the path or description, `folder` and all below it."""
    found = Artifact.objects.live().filter(project=project).order_by("path", "id")
    if folder:
        found = found.filter(path__startswith=folder.rstrip("/") + "/")
    if search:
        found = found.filter(path__icontains=search) | found.filter(description__icontains=search)
    return found


def paths_in(project: Project, most: int | None = None) -> list[str]:
    """The paths of the live prompts, at most so many."""
    return list(artifacts_in(project).values_list("path", flat=True)[:most])


def prompt_rows(artifacts: QuerySet[Artifact]) -> QuerySet[Artifact]:
    """The artifacts with what the list shows: `latest_number`, `latest_at`, `latest_by`, and `shown_labels`."""
    latest = VersionNumber.objects.filter(artifact=OuterRef("pk")).order_by("-number")
    labels = Label.objects.select_related("version__numbered").order_by("-protected", "name")
    return artifacts.annotate(
        latest_number=Subquery(latest.values("number")[:1]),
        latest_at=Subquery(latest.values("version__created_at")[:1]),
        latest_by=Subquery(latest.values("version__by_text")[:1]),
    ).prefetch_related(Prefetch("labels", queryset=labels, to_attr="shown_labels"))


def folders_in(project: Project) -> list[str]:
    """The folders that hold prompts, and those above them, in order."""
    found: set[str] = set()
    for path in Artifact.objects.live().filter(project=project, path__contains="/").values_list("path", flat=True):
        while "/" in path:
            path = path.rpartition("/")[0]
            found.add(path)
    return sorted(found)


def tip_of(project: Project) -> Commit | None:
    """The newest commit on `main`."""
    return Commit.objects.filter(project=project, main_seq__isnull=False).order_by("-main_seq").first()


def deployments_of(artifact: Artifact) -> QuerySet[Deployment]:
    """The moves of the prompt's labels, newest first."""
    return (
        Deployment.objects.filter(artifact=artifact)
        .select_related("from_version__numbered", "to_version__numbered")
        .order_by("-id")
    )


def deployments_in(project: Project) -> QuerySet[Deployment]:
    """All moves of labels in the project, newest first."""
    return (
        Deployment.objects.filter(project=project)
        .select_related("artifact", "from_version__numbered", "to_version__numbered")
        .order_by("-at", "-id")
    )


def draft_of(project: Project, user_id: int, artifact: Artifact | None) -> Draft | None:
    return (
        Draft.objects.filter(project=project, user_id=user_id, artifact=artifact)
        .select_related("base_version__numbered")
        .first()
    )


def tryout_in(project: Project, uid: Any) -> TryOut:
    """:raises NotFound: when the project has no such try-out."""
    found = TryOut.objects.filter(project=project, uid=uid).select_related("artifact").first()
    if found is None:
        raise NotFound("There is no such try-out here.")
    return found
