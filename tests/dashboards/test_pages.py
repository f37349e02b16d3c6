"""Home, monitor, search and notifications."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import Run
from evals.queries.runs import EvaluatorFigures, Summary
from evals.services import dataset_examples, datasets
from feedback.models import Call, Vote
from feedback.services import hours
from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects.models import Notification, Project
from llmops.projects.services import notifications
from prompts.services import labels, versions

P = "/p/garden/"


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def last_week(project: Project) -> None:
    """Move all calls and votes a week back."""
    for model in (Call, Vote):
        for row in model.objects.values_list("pk", "hour"):
            query = model._base_manager.filter(pk=row[0])
            getattr(query, "rewrite", query.update)(hour=row[1] - 7 * 24)
    hours.rebuild(project=project, now=timezone.now())


# Home


def test_a_new_project_is_shown_the_first_steps_with_calls_to_copy(page: Client) -> None:
    shown = text_of(page.get(P))
    assert "Set up Garden shop" in shown
    for part in ["0 of 6", "/api/v1/calls", "/api/v1/feedback", "manage.py add_connection garden"]:
        assert part in shown


def test_figures_come_with_interval_n_and_the_week_before(
    page: Client, send: Callable[..., Any], traffic: None, project: Project, by: Actor
) -> None:
    datasets.create(project=project, slug="golden", by=by)
    last_week(project)
    send("/calls", *[{"id": f"n{n}", "latency_ms": 400, "cost_usd": 0.02} for n in range(50)])
    send("/feedback", *[{"call": f"n{n}", "thumbs": "up", "end_user": f"u{n}"} for n in range(50)])
    response = page.get(P)
    home = response.context["home"]
    assert home.satisfaction.value == 1
    assert home.satisfaction.before == pytest.approx(0.9)
    assert home.satisfaction.change == pytest.approx(0.1)
    assert home.satisfaction.is_clear
    assert home.p95_ms.value == pytest.approx(400, rel=0.03)
    assert home.p95_ms.before == pytest.approx(214, rel=0.05)
    assert home.cost_per_day.value == pytest.approx(1 / 7)
    assert home.open_items == home.open_downs == 12


def test_few_votes_are_counts_not_rates(page: Client, send: Callable[..., Any]) -> None:
    send("/calls", {"id": "a"})
    send("/feedback", {"call": "a", "thumbs": "up", "end_user": "u"}, {"call": "b", "thumbs": "down"})
    figure = page.get(P).context["home"].satisfaction
    assert (figure.value, figure.words) == (None, "1 up, 1 down")


@pytest.mark.parametrize("days", ["1", "7", "30", "x", ""])
def test_every_period_has_a_page(page: Client, traffic: None, days: str) -> None:
    text_of(page.get(P, {"days": days}))


def test_home_costs_the_same_whatever_the_traffic(
    page: Client, traffic: None, send: Callable[..., Any], django_assert_max_num_queries: Any
) -> None:
    page.get(P)
    with django_assert_max_num_queries(27):
        page.get(P)


# Monitor


def test_a_project_without_calls_is_told_how_to_log(page: Client) -> None:
    assert "No calls logged yet" in text_of(page.get(f"{P}monitor/"))


def test_the_monitor_shows_charts_with_their_numbers(page: Client, traffic: None) -> None:
    response = page.get(f"{P}monitor/")
    shown = text_of(response)
    assert [chart.name for chart in response.context["charts"]] == [
        "chart-calls", "chart-errors", "chart-satisfaction", "chart-latency", "chart-cost", "chart-tokens",
    ]  # fmt: skip
    # Two people in 65,536 groups may fall into one, so the last digits of their number are left open.
    for part in [
        "120 in all, 1 failed",
        "90.0 %",
        "n 120 votes of 1",
        "0.8 %, 0.1 % to 4.6 %, n 120",
        "$1.20 for 120 priced calls",
    ]:
        assert part in shown
    for chart in response.context["charts"]:
        assert len(chart.head) == len(chart.rows[-1])
        json.dumps(chart.figure, allow_nan=False)
    assert "'unsafe-inline'" in response["Content-Security-Policy"]
    assert "script-src 'self';" in response["Content-Security-Policy"] + ";"


@pytest.mark.parametrize(
    ("query", "calls"),
    [
        ("model=small", 80),
        ("environment=production", 120),
        ("environment=test", 0),
        ("by=environment", 120),
        ("prompt=reply/draft", 120),
        ("prompt=reply/draft&version=1", 0),
        ("prompt=other", 0),
        ("days=90&model=large&by=model", 40),
        ("days=1000&version=x&by=%00", 120),
        ("model=%ED%A0%80", 0),
    ],
)
def test_filters_narrow_everything(page: Client, traffic: None, query: str, calls: int) -> None:
    monitor = page.get(f"{P}monitor/?{query}").context["monitor"]
    assert (monitor.total.calls, monitor.satisfaction.votes) == (calls, calls)


def test_thumbs_are_compared_by_model_with_interval_test_and_response(page: Client, send: Callable[..., Any]) -> None:
    send("/calls", *[{"id": f"c{n}", "model": "old" if n < 200 else "new"} for n in range(400)])
    ups = {"old": 60, "new": 95}
    send("/feedback", *[
        {"call": f"c{base + n}", "thumbs": "up" if n < ups[model] else "down", "end_user": f"{model}-{n}"}
        for model, base in (("old", 0), ("new", 200)) for n in range(100)
    ])  # fmt: skip
    send("/feedback", {"call": "c399", "thumbs": "up", "end_user": "one more"})
    response = page.get(f"{P}monitor/?by=model")
    old, new = sorted(response.context["monitor"].rows, key=lambda row: row.name, reverse=True)
    assert new.is_reference
    assert old.against.word == "changed"
    assert old.against.low < old.against.delta < old.against.high < 0
    assert old.against.p < 0.001
    assert (new.response.voted, new.response.shown) == (101, 200)
    shown = text_of(response)
    for part in ["the most voted", "changed", "p &lt; 0.001", "201 of 400 calls got a vote"]:
        assert part in shown


def test_names_cannot_add_markup_to_a_figure(page: Client, send: Callable[..., Any]) -> None:
    evil = "</script><script>alert(1)</script>"
    send("/calls", {"prompt": evil, "model": evil, "environment": evil[:60], "tags": [evil], "latency_ms": 5})
    assert "<script>alert(1)" not in text_of(page.get(f"{P}monitor/"))


def test_the_monitor_costs_the_same_whatever_the_traffic(
    page: Client, traffic: None, django_assert_num_queries: Any
) -> None:
    page.get(f"{P}monitor/")
    with django_assert_num_queries(8):
        page.get(f"{P}monitor/?days=90")


def test_the_project_s_time_zone_decides_the_day(page: Client, project: Project, traffic: None) -> None:
    Project.objects.filter(pk=project.pk).update(timezone="Pacific/Auckland")
    monitor = page.get(f"{P}monitor/").context["monitor"]
    assert monitor.total.calls == 120
    assert monitor.days[-1].sums.calls == 120


# Runs


def test_scores_of_finished_runs_are_charted_and_listed(page: Client, project: Project, by: Actor) -> None:
    dataset = datasets.create(project=project, slug="golden", by=by)
    dataset_examples.add(
        dataset=dataset, rows=[ExampleRow(inputs={"q": str(n)}, expected="x") for n in range(3)], by=by
    )
    version = datasets.seal(dataset=dataset, by=by, now=timezone.now())
    figures = EvaluatorFigures(
        name="exact", version_id=1, mean=0.75, low=0.5, high=0.9, n=12, unscored=0, failed=0, passed=9, method="Wilson"
    )
    summary = Summary(
        done=3, failed=0, from_cache=0, tokens_in=0, tokens_out=0, cost_usd=None, latency_p50_ms=None,
        latency_p95_ms=None, lost_calls=0, evaluators=(figures,),
    )  # fmt: skip
    Run.objects.create(
        project=project, recorded_column="answer", dataset_version=version, state=Run.State.DONE,
        finished_at=timezone.now(), summary=summary.as_json(),
    )  # fmt: skip
    (chart,) = page.get(f"{P}monitor/").context["charts"]
    assert chart.rows[0][1:] == ["recorded “answer”", "exact", "75.0 %", "50.0 to 90.0", "12"]
    (run,) = page.get(P).context["home"].runs
    assert (run.evaluator, run.score, run.interval, run.n) == ("exact", "75.0 %", "50.0 to 90.0", 12)
    assert "golden" in text_of(page.get(f"{P}search/?q=gold"))


# Versions and deployments

CONTENT = "---\nname: reply/draft\n---\nsystem:\nAnswer {}.\nuser:\n{{{{question}}}}\n"


def test_versions_are_told_apart_and_deployments_are_marked(
    page: Client, send: Callable[..., Any], project: Project, by: Actor
) -> None:
    now = timezone.now()
    made = [
        versions.save(
            project=project, path="reply/draft", content=CONTENT.format(how), message=how, by=by, now=now
        ).version
        for how in ("kindly", "shortly")
    ]
    for version, when in zip(made, (now - timedelta(hours=30), now), strict=True):
        labels.move(artifact=version.artifact, name="production", to=version, by=by, now=when, may_release=True)
    send("/calls", *[{"id": f"c{n}", "prompt": "reply/draft", "version": 1 + n % 2, "latency_ms": 9} for n in range(6)])
    send("/feedback", {"call": "c0", "thumbs": "up", "end_user": "u"}, {"call": "c1", "thumbs": "down"})
    monitor = page.get(f"{P}monitor/").context["monitor"]
    assert {(row.name, row.sums.calls, row.satisfaction.all_ups) for row in monitor.rows} == {
        ("reply/draft v1", 3, 1), ("reply/draft v2", 3, 0),
    }  # fmt: skip
    assert [(move.label, move.number) for move in monitor.deployments] == [("production", 2), ("production", 1)]
    figure = page.get(f"{P}monitor/").context["charts"][0].figure
    assert len(figure["layout"]["shapes"]) == 2
    narrowed = page.get(f"{P}monitor/?prompt=reply/draft&version=2").context["monitor"]
    assert narrowed.total.calls == 3
    assert "reply/draft" in text_of(page.get(P))
    assert f"{P}prompts/reply/draft/" in text_of(page.get(f"{P}search/?q=DRAFT"))


# Search


def test_search_finds_names_of_this_project(page: Client, project: Project, other_project: Project, by: Actor) -> None:
    datasets.create(project=project, slug="golden-mails", name="Golden mails", by=by)
    datasets.create(project=other_project, slug="golden-other", by=by)
    shown = text_of(page.get(f"{P}search/?q=GOLDEN"))
    assert f"{P}datasets/golden-mails/" in shown
    assert "golden-other" not in shown
    assert "No name holds" in text_of(page.get(f"{P}search/?q=100%25"))
    text_of(page.get(f"{P}search/"))
    text_of(page.get(f"{P}search/?q=%00run_ffff"))


# Notifications


def test_notifications_are_listed_counted_and_marked_as_read(page: Client, project: Project, admin: User) -> None:
    assert "Nothing yet" in text_of(page.get(f"{P}notifications/"))
    notifications.notify(
        project=project, users=[admin.pk], kind="k", text="A <run> ended", url="/p/garden/runs/", now=timezone.now()
    )
    shown = text_of(page.get(f"{P}notifications/"))
    assert "A &lt;run&gt; ended" in shown
    assert "Notifications, 1 unread" in shown
    assert page.post(f"{P}notifications/read").status_code == 302
    assert "1 unread" not in text_of(page.get(f"{P}notifications/?cursor=WyJuIiwwLCJ4Il0"))
    assert Notification.objects.get().read_at is not None


def test_everybody_has_their_own_list(
    page: Client, project: Project, member: Callable[[str], User], client_of: Callable[[User], Client]
) -> None:
    viewer = member("viewer")
    notifications.notify(project=project, users=[viewer.pk], kind="k", text="for V", url="/", now=timezone.now())
    assert "for V" not in text_of(page.get(f"{P}notifications/"))
    page.post(f"{P}notifications/read")
    assert "for V" in text_of(client_of(viewer).get(f"{P}notifications/"))
    assert Notification.objects.get().read_at is None


def test_roles_see_what_they_may(
    member: Callable[[str], User], client_of: Callable[[User], Client], other_project: Project, traffic: None
) -> None:
    labeler = client_of(member("labeler"))
    assert labeler.get(f"{P}monitor/").status_code == 403
    assert labeler.get(P)["Location"] == f"{P}labeling/"
    stranger = client_of(User.objects.get(email="eve@example.com"))
    for path in ["", "monitor/", "search/?q=a", "notifications/"]:
        assert stranger.get(P + path).status_code == 404
    assert Client().get(P).status_code == 302


def test_old_mails_are_not_sent(project: Project, admin: User) -> None:
    now = timezone.now()
    notifications.notify(project=project, users=[admin.pk], kind="k", text="t", url="/", now=now - timedelta(days=2))
    assert notifications.mail_waiting(now=now) == 0
