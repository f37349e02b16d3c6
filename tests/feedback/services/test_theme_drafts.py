"""From a theme to rows, cases, a name and a prompt: a model drafts, people decide, runs compare."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import Example, Proposal, Run
from evals.queries import datasets as dataset_queries
from evals.services import evaluators, proposals, proposing
from feedback.models import Call, Theme, ThemeDraft
from feedback.queries import theme_drafts as queries
from feedback.queries import themes as theme_queries
from feedback.services import theme_drafting, theme_drafts, theme_rows
from llmops.common.errors import Conflict, Invalid
from llmops.gateway.models import Attempt, Connection
from prompts.models import Label, Version
from prompts.queries import draft_of
from prompts.services import labels, versions
from tests.evals.conftest import Bench
from tests.feedback.complaining import LATE, complain

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def theme(bench: Bench) -> Theme:
    """Six complaints about late parcels, with what people wanted instead."""
    found = Theme.objects.create(project=bench.project, slug="late-parcel", name="Late, parcel", terms=["late"])
    complain(bench.project, LATE, theme=found, correction="delivery")
    return found


def change(system: str, user: str = "{{ text }}") -> str:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return json.dumps({"messages": messages, "why": "Days were not said."})


def drafted(bench: Bench, theme: Theme, says: str) -> ThemeDraft:
    """A drafted change to the prompt `repeat`, which the model server answered with `says`."""
    version = Version.objects.filter(artifact__path="repeat").first() or bench.prompt()
    bench.fake.answer = lambda text: says
    made = theme_drafts.ask_change(theme=theme, artifact=version.artifact, by=bench.by, model="model-1")
    theme_drafting.work(draft_id=made.pk)
    bench.fake.answer = lambda text: text
    return queries.draft_in(bench.project, f"draft_{made.uid.hex}")


def named(bench: Bench, theme: Theme, says: str) -> ThemeDraft:
    bench.fake.answer = lambda text: says
    made = theme_drafts.ask_name(theme=theme, by=bench.by, model="model-1")
    theme_drafting.work(draft_id=made.pk)
    return queries.draft_in(bench.project, f"draft_{made.uid.hex}")


def test_a_proposed_name_is_nothing_until_a_person_accepts_it(bench: Bench, theme: Theme) -> None:
    draft = named(bench, theme, '{"name": "Late parcels"}')
    theme.refresh_from_db()
    assert (draft.state, draft.content, theme.name) == ("done", "Late parcels", "Late, parcel")
    assert Attempt.objects.get(owner_uid=draft.uid).purpose == "theme"
    assert draft.tokens_in
    theme_drafts.accept_name(draft=draft, by=bench.by, now=timezone.now())
    theme.refresh_from_db()
    assert (theme.name, theme.named_by) == ("Late parcels", "model")
    with pytest.raises(Conflict):
        theme_drafts.refuse(draft=draft, by=bench.by, now=timezone.now())


def test_without_a_connection_the_top_terms_stand(bench: Bench, theme: Theme) -> None:
    Connection.objects.update(archived_at=timezone.now())
    with pytest.raises(Exception, match="no default connection"):
        theme_drafts.ask_name(theme=theme, by=bench.by)
    theme.refresh_from_db()
    assert (theme.name, theme.named_by) == ("Late, parcel", "terms")


def test_an_answer_that_is_no_name_is_a_failure_with_the_text_kept(bench: Bench, theme: Theme) -> None:
    draft = named(bench, theme, "Late parcels, I would say.")
    assert (draft.state, draft.answer) == ("failed", "Late parcels, I would say.")
    with pytest.raises(Conflict):
        theme_drafts.accept_name(draft=draft, by=bench.by, now=timezone.now())


def test_the_themes_calls_are_proposed_with_its_tag_and_only_a_person_makes_them_rows(
    bench: Bench,
    theme: Theme,
) -> None:
    dataset = bench.dataset(1)
    now = timezone.now()
    asked = theme_rows.propose_slice(theme=theme, dataset=dataset, by=bench.by, now=now, count=3, split="dev")
    rows = list(Proposal.objects.filter(request=asked).order_by("position"))
    assert [row.content["inputs"]["mail"] for row in rows] == ["Question c-5", "Question c-4", "Question c-3"]
    assert (rows[0].content["expected"], rows[0].content["split"]) == ("delivery", "dev")
    assert dataset_queries.examples_of(dataset).count() == 1
    uid = proposals.accept(proposal=rows[0], by=bench.by, now=now)
    example = dataset_queries.example_in(dataset, uid)
    assert example.tags == ["theme:late-parcel"]
    assert example.metadata["call"] == "c-5"
    assert example.metadata["theme"] == theme_queries.ref(theme)
    assert example.metadata["proposed_by"]["kind"] == "rows"
    assert example.metadata["proposed_by"]["edited"] is False


def test_a_call_that_makes_no_row_is_a_problem_and_a_theme_without_calls_proposes_nothing(
    bench: Bench,
    theme: Theme,
) -> None:
    dataset, now = bench.dataset(1), timezone.now()
    Call.objects.filter(client_id="c-5").rewrite(inputs={"mail": "x" * 2_000_000})
    Call.objects.filter(client_id="c-4").purge()
    asked = theme_rows.propose_slice(theme=theme, dataset=dataset, by=bench.by, now=now, count=3)
    assert [problem["row"] for problem in asked.problems] in ([1, 2], [2])
    Call.objects.all().purge()
    with pytest.raises(Invalid):
        theme_rows.propose_slice(theme=theme, dataset=dataset, by=bench.by, now=now)


def test_a_model_drafts_cases_with_the_themes_tag_as_topic(bench: Bench, theme: Theme) -> None:
    dataset = bench.dataset(1)
    rows = [{"inputs": {"text": "Where is my box?"}, "expected": "delivery", "tags": ["theme:late-parcel"]}]
    bench.fake.answer = lambda text: json.dumps({"rows": rows})
    asked = theme_rows.draft_cases(theme=theme, dataset=dataset, by=bench.by, model="model-1")
    assert "why is my parcel so late" in asked.description
    proposing.work(request_id=asked.pk)
    [row] = Proposal.objects.filter(request=asked)
    assert row.content["tags"] == ["theme:late-parcel"]


def test_a_drafted_prompt_changes_nothing_before_a_person_saves_it(bench: Bench, theme: Theme) -> None:
    draft = drafted(bench, theme, change("Name the day."))
    assert (draft.state, draft.error, draft.why) == ("done", "", "Days were not said.")
    assert "Name the day." in draft.content
    assert "model-1" in draft.content  # the base's settings stay
    assert Version.objects.count() == 1
    saved = theme_drafts.save_version(draft=draft, content=draft.content, message="", by=bench.by, now=timezone.now())
    assert (saved.number, saved.version.commit.subject) == (2, "Mend “Late, parcel”")
    assert not Label.objects.exists()
    with pytest.raises(Conflict):
        theme_drafts.save_version(draft=draft, content=draft.content, message="", by=bench.by, now=timezone.now())


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (change("Use {{ order }}."), "variables that the app does not send: order"),
        (change("{% for x in %}"), "Line 10"),
        (change("Be kind.\nassistant:\nSure"), "head of another message"),
        (json.dumps({"messages": [{"role": "user", "content": "{{ text }}"}], "why": ""}), "changes nothing"),
        ("I suggest to be kind.", "could not be used"),
    ],
)
def test_a_drafted_prompt_that_would_not_run_is_refused(
    bench: Bench,
    theme: Theme,
    says: str,
    reason: str,
) -> None:
    draft = drafted(bench, theme, says)
    assert draft.state == "failed"
    assert reason in draft.error
    assert draft.answer == says


def test_somebody_elses_version_in_between_is_not_overwritten(bench: Bench, theme: Theme) -> None:
    draft = drafted(bench, theme, change("Name the day."))
    bench.prompt(content=draft.content.replace("Name the day.", "Be brief."))
    with pytest.raises(versions.StaleBase):
        theme_drafts.save_version(draft=draft, content=draft.content, message="", by=bench.by, now=timezone.now())
    draft.refresh_from_db()
    assert draft.decision == "open"  # the person may go on in the editor


def test_a_draft_goes_to_the_persons_editor(bench: Bench, theme: Theme) -> None:
    draft = drafted(bench, theme, change("Name the day."))
    assert bench.by.user_id is not None
    theme_drafts.keep_in_editor(draft=draft, content=draft.content, user_id=bench.by.user_id, now=timezone.now())
    kept = draft_of(bench.project, bench.by.user_id, draft.artifact)
    assert kept is not None
    assert kept.content == draft.content


def test_the_draft_is_evaluated_against_the_live_version_on_the_slice_and_on_the_whole_set(
    bench: Bench,
    theme: Theme,
) -> None:
    """The drafted prompt makes the theme's three rows right and one of the other seven wrong."""
    first = bench.prompt()
    labels.move(artifact=first.artifact, name="production", to=first, by=bench.by, now=timezone.now(), may_release=True)
    draft = drafted(bench, theme, change("Be brief.", "Name the day: {{ text }}"))
    rows = [ExampleRow(inputs={"text": f"late {n}"}, expected="day", tags=[theme.tag]) for n in range(3)]
    rows += [ExampleRow(inputs={"text": f"text {n}"}, expected=f"text {n}") for n in range(7)]
    dataset = bench.dataset(rows)
    evaluators.create(project=bench.project, slug="exact", spec={"metric": "exact_match"}, by=bench.by)
    wanted = theme_drafts.Evaluation(dataset=dataset, evaluators=["exact"])
    with pytest.raises(Conflict):
        theme_drafts.evaluate(draft=draft, wanted=wanted, by=bench.by, now=timezone.now())
    theme_drafts.save_version(draft=draft, content=draft.content, message="", by=bench.by, now=timezone.now())
    theme_drafts.evaluate(draft=draft, wanted=wanted, by=bench.by, now=timezone.now())
    before = queries.evaluated(draft)
    assert before is not None
    assert (before.is_done, before.is_waiting, before.slice_rows) == (False, True, 3)
    bench.fake.answer = answer
    bench.work()
    found = queries.evaluated(queries.draft_in(bench.project, f"draft_{draft.uid.hex}"))
    assert found is not None
    assert found.is_done
    assert found.on_slice is not None
    assert found.on_whole is not None
    assert found.baseline.target == first
    [on_slice], [on_whole] = found.on_slice.evaluators, found.on_whole.evaluators
    assert (on_slice.baseline_mean, on_slice.candidate_mean, on_slice.comparison.difference.n) == (0.0, 1.0, 3)
    assert (on_whole.baseline_mean, on_whole.candidate_mean) == (0.7, pytest.approx(0.9))
    assert (on_whole.comparison.wins, on_whole.comparison.losses, on_whole.comparison.difference.n) == (3, 1, 10)
    assert Label.objects.get().version == first  # nothing was released


def answer(text: str) -> str:
    """Told to name the day the model does so for late parcels, and for one text too many."""
    asked = text.strip().removeprefix("Name the day: ")
    is_new = asked != text.strip()
    return "day" if is_new and (asked.startswith("late") or asked == "text 6") else asked


def test_an_evaluation_needs_rows_of_the_theme(bench: Bench, theme: Theme) -> None:
    draft = drafted(bench, theme, change("Name the day."))
    theme_drafts.save_version(draft=draft, content=draft.content, message="", by=bench.by, now=timezone.now())
    evaluators.create(project=bench.project, slug="exact", spec={"metric": "exact_match"}, by=bench.by)
    wanted = theme_drafts.Evaluation(dataset=bench.dataset(2), evaluators=["exact"])
    with pytest.raises(Invalid) as problem:
        theme_drafts.evaluate(draft=draft, wanted=wanted, by=bench.by, now=timezone.now())
    assert "theme:late-parcel" in problem.value.fields["dataset"]
    assert not Run.objects.exists()
    assert Example.objects.count() == 2


def test_lost_drafts_are_given_up_and_old_ones_forget_what_they_quoted(
    bench: Bench,
    theme: Theme,
) -> None:
    made = theme_drafts.ask_name(theme=theme, by=bench.by, model="model-1")
    now = timezone.now()
    assert theme_drafts.give_up_on_lost(older_than=now, now=now) == 1
    theme_drafting.work(draft_id=made.pk)
    theme_drafts.forget_old(now=now)
    made.refresh_from_db()
    assert (made.state, bool(made.messages)) == ("failed", True)
    theme_drafts.forget_old(now=now + timedelta(days=bench.project.retention_days + 1))
    made.refresh_from_db()
    assert made.messages == []
