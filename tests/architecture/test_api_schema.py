"""The schema from which clients are generated says what it means."""

from __future__ import annotations

from drf_spectacular.drainage import GENERATOR_STATS

from tests.operations import schema


def test_the_schema_is_made_without_warnings_and_every_choice_has_a_readable_name() -> None:
    names = set(schema()["components"]["schemas"])
    assert {"AcceptOrRefuseEnum", "InboxStateEnum", "LabelingToolEnum", "QueueFileEnum", "ScoreKindEnum"} <= names
    assert not GENERATOR_STATS, [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
