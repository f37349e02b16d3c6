"""A judge's configuration: which prompt, which scale, which models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmops.common.errors import Invalid

Json = Any

# What a rubric's template may use; `input` holds each input under its own name.
VARIABLES = ("output", "expected", "inputs", "input", "contexts")
# A rubric that compares sees two answers and is not told which one is judged.
PAIR_VARIABLES = ("first", "second", "expected", "inputs", "input", "contexts")
PAIRWISE = "pairwise"
KINDS = ("pass_fail", "score", "choice", PAIRWISE)
MAX_PANEL = 7
MAX_CHOICES = 20
MAX_POINTS = 100
KNOWN = {"v", "judge", "scale", "connection", "model", "panel", "baseline", "counterfactual"}


@dataclass(frozen=True, slots=True)
class Scale:
    """What a verdict can be. Values are between 0 and 1; `pass_at` is the smallest value that passes."""

    kind: str = "pass_fail"
    low: int = 1
    high: int = 5
    choices: Mapping[str, float] = field(default_factory=dict)
    pass_at: float | None = None

    def as_json(self) -> dict[str, Json]:
        """Only what the kind uses: equal scales give equal JSON."""
        if self.kind in ("pass_fail", PAIRWISE):
            return {"kind": self.kind}
        range_ = {"low": self.low, "high": self.high} if self.kind == "score" else {"choices": dict(self.choices)}
        return {"kind": self.kind, **range_} | ({} if self.pass_at is None else {"pass_at": self.pass_at})

    @property
    def can_pass(self) -> bool:
        return self.kind == "pass_fail" or (self.is_numeric and self.pass_at is not None)

    @property
    def is_pairwise(self) -> bool:
        return self.kind == PAIRWISE

    @property
    def is_numeric(self) -> bool:
        """Whether a mean of its scores is more than a share of passes."""
        return self.kind in ("score", "choice")

    @property
    def classes(self) -> tuple[str, ...]:
        """Every verdict that a score of this scale can carry, the good ones first where words say so."""
        if self.kind == "pass_fail":
            return ("pass", "fail")
        if self.kind == PAIRWISE:
            return ("win", "tie", "loss")
        if self.kind == "choice":
            return tuple(self.choices)
        return tuple(str(number) for number in range(self.low, self.high + 1))


@dataclass(frozen=True, slots=True)
class Panelist:
    """One more model that gets the same rubric; its vote counts as much as the first one's."""

    connection: str = ""
    model: str = ""

    def as_json(self) -> dict[str, Json]:
        return {"connection": self.connection, "model": self.model}


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a pairwise judge compares with: a column of the dataset, or the outputs of another run, by its id."""

    column: str = ""
    run: str = ""

    def as_json(self) -> dict[str, Json]:
        return {"run": self.run} if self.run else {"column": self.column}


@dataclass(frozen=True, slots=True)
class JudgeSpec:
    """`prompt` is the path of the rubric; one of `version` and `label` says which, the label `latest` by default.

    With `counterfactual` the judge is asked once more, against a false reference: who passes there too was obeyed.
    """

    prompt: str
    version: int | None = None
    label: str = ""
    scale: Scale = field(default_factory=Scale)
    connection: str = ""
    model: str = ""
    panel: tuple[Panelist, ...] = ()
    baseline: Baseline | None = None
    counterfactual: bool = False


def checked(spec: Json) -> JudgeSpec:
    """A judge from `{"judge": {"prompt": …, "version": …}, "scale": {…}, "connection": …, "model": …}`.

    `panel` is a list of further models that vote; `baseline` says what a pairwise judge compares with; with
    `counterfactual` every output is judged against a false reference too.

    :raises Invalid: naming each field that is not acceptable.
    """
    if not isinstance(spec, dict) or not isinstance(spec.get("judge"), dict):
        raise Invalid("A judge must be a JSON object.", fields={"judge": "must be an object"})
    judge = spec["judge"]
    wrong = {str(key)[:60]: "not known" for key in spec.keys() - KNOWN}
    wrong |= {f"judge.{str(key)[:60]}": "not known" for key in judge.keys() - {"prompt", "version", "label"}}
    if spec.get("v", 1) != 1:
        wrong["v"] = "must be 1"
    prompt, version, label = judge.get("prompt"), judge.get("version"), judge.get("label", "")
    if not isinstance(prompt, str) or not prompt:
        wrong["judge.prompt"] = "the path of a prompt"
    if version is not None and (not isinstance(version, int) or isinstance(version, bool) or version < 1):
        wrong["judge.version"] = "must be a version's number"
    if not isinstance(label, str) or (label and version is not None):
        wrong["judge.label"] = "a label's name, and not together with a version"
    for name in ("connection", "model"):
        if not isinstance(spec.get(name, ""), str) or len(spec.get(name, "")) > 200:
            wrong[name] = "must be a text"
    scale = _scale({} if spec.get("scale") is None else spec["scale"], wrong)
    panel = _panel(spec.get("panel") or [], wrong)
    baseline = _baseline(spec.get("baseline"), scale, wrong)
    counterfactual = spec.get("counterfactual", False)
    if not isinstance(counterfactual, bool):
        wrong["counterfactual"] = "must be true or false"
    elif counterfactual and not wrong and not scale.can_pass:
        wrong["counterfactual"] = "only for a scale that says what passes"
    if wrong:
        raise Invalid("The judge is not acceptable.", fields=wrong)
    return JudgeSpec(
        prompt=str(prompt),
        version=version,
        label=label,
        scale=scale,
        connection=spec.get("connection", ""),
        model=spec.get("model", ""),
        panel=panel,
        baseline=baseline,
        counterfactual=counterfactual,
    )


def panel_of(spec: Mapping[str, Json]) -> tuple[Panelist, ...]:
    """The further voters of a stored configuration."""
    return tuple(Panelist(**one) for one in spec.get("panel") or [])


def baseline_of(spec: Mapping[str, Json]) -> Baseline | None:
    """What a stored configuration compares with; None unless it is pairwise."""
    return Baseline(**spec["baseline"]) if spec.get("baseline") else None


def scale_of(spec: Mapping[str, Json]) -> Scale:
    """The scale of a stored configuration."""
    stored = spec.get("scale") or {}
    return Scale(**stored)


def variables_of(scale: Scale) -> tuple[str, ...]:
    """What a rubric with this scale may use."""
    return PAIR_VARIABLES if scale.is_pairwise else VARIABLES


def missing_variables(variables: Iterable[str], scale: Scale) -> list[str]:
    """What a rubric with this scale must show and does not: both answers, or the output. A rubric about the contexts
    may leave the output out."""
    used = set(variables)
    if scale.is_pairwise:
        return [name for name in ("first", "second") if name not in used]
    return [] if used & {"output", "contexts"} else ["output"]


def unknown_variables(variables: Iterable[str], scale: Scale) -> list[str]:
    """The variables of a rubric's template that no judge with this scale fills."""
    return sorted(set(variables) - set(variables_of(scale)))


def _panel(raw: Json, wrong: dict[str, str]) -> tuple[Panelist, ...]:
    if not isinstance(raw, list) or len(raw) > MAX_PANEL - 1:
        wrong["panel"] = f"a list of at most {MAX_PANEL - 1} further models"
        return ()
    found = []
    for place, one in enumerate(raw):
        texts = one.values() if isinstance(one, dict) else [None]
        if (
            not isinstance(one, dict)
            or one.keys() - {"connection", "model"}
            or not one.get("model")
            or not all(isinstance(value, str) and len(value) <= 200 for value in texts)
        ):
            wrong[f"panel[{place}]"] = "an object with a model, and a connection if it is not the judge's own"
        else:
            found.append(Panelist(one.get("connection", ""), one["model"]))
    return tuple(found)


def _baseline(raw: Json, scale: Scale, wrong: dict[str, str]) -> Baseline | None:
    if not scale.is_pairwise:
        if raw:
            wrong["baseline"] = "only for the pairwise scale"
        return None
    is_one = isinstance(raw, dict) and len(raw) == 1 and raw.keys() <= {"column", "run"}
    if not is_one or not all(isinstance(value, str) and 0 < len(value) <= 200 for value in raw.values()):
        wrong["baseline"] = 'either {"column": a column of the dataset} or {"run": a run\'s id}'
        return None
    return Baseline(**raw)


def _scale(raw: Json, wrong: dict[str, str]) -> Scale:
    if not isinstance(raw, dict):
        wrong["scale"] = "must be an object"
        return Scale()
    wrong |= {
        f"scale.{str(key)[:60]}": "not known" for key in raw.keys() - {"kind", "low", "high", "choices", "pass_at"}
    }
    kind, low, high = raw.get("kind", "pass_fail"), raw.get("low", 1), raw.get("high", 5)
    choices, pass_at = raw.get("choices", {}), raw.get("pass_at")
    if kind not in KINDS:
        wrong["scale.kind"] = f"must be one of {', '.join(KINDS)}"
    if not _is_whole(low) or not _is_whole(high) or not 0 <= low < high <= MAX_POINTS:
        wrong["scale.high"] = f"whole numbers, low below high, from 0 to {MAX_POINTS}"
    if not isinstance(choices, dict) or not all(_is_choice(name, value) for name, value in choices.items()):
        wrong["scale.choices"] = "an object of words and values between 0 and 1"
    elif kind == "choice" and not 2 <= len(choices) <= MAX_CHOICES:
        wrong["scale.choices"] = f"2 to {MAX_CHOICES} choices"
    if pass_at is not None and not _is_share(pass_at):
        wrong["scale.pass_at"] = "a number between 0 and 1"
    if wrong:
        return Scale()
    return Scale(kind=kind, low=low, high=high, choices=choices, pass_at=pass_at)


def _is_whole(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_share(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_choice(name: str, value: Json) -> bool:
    return bool(name.strip()) and len(name) <= 60 and _is_share(value)
