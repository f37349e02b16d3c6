"""Fair shares of room between runs and projects."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evals.engine import Want, shares


def test_projects_share_evenly_however_many_runs_each_has() -> None:
    wants = [Want(1, project=1, priority=0, wanted=100), Want(2, 1, 0, 100), Want(3, project=2, priority=0, wanted=100)]
    given_ = shares(wants, 40)
    assert (given_[1] + given_[2], given_[3]) == (20, 20)


def test_what_a_run_holds_already_counts() -> None:
    wants = [Want(1, 1, 0, wanted=50, holding=30), Want(2, 2, 0, wanted=50)]
    assert shares(wants, 30) == {2: 30}


def test_a_higher_priority_is_served_first_within_its_project() -> None:
    assert shares([Want(1, 1, 0, 50), Want(2, 1, 1, 30), Want(3, 1, -1, 50)], 40) == {2: 30, 1: 10}


def test_a_priority_takes_no_room_from_another_project() -> None:
    assert shares([Want(1, 1, 0, 50), Want(2, 2, 1, 50)], 40) == {1: 20, 2: 20}


def test_room_that_one_does_not_want_goes_to_the_others() -> None:
    assert shares([Want(1, 1, 0, 5), Want(2, 2, 0, 100)], 40) == {1: 5, 2: 35}


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(-1, 1), st.integers(0, 20), st.integers(0, 20)), max_size=8),
    st.integers(-5, 60),
)
def test_shares_never_exceed_room_or_wish_and_leave_no_room_unused(
    rows: list[tuple[int, int, int, int]], room: int
) -> None:
    wants = [Want(lane, *row) for lane, row in enumerate(rows)]
    found = shares(wants, room)
    assert all(found.get(want.lane, 0) <= want.wanted for want in wants)
    assert sum(found.values()) == min(max(room, 0), sum(want.wanted for want in wants))


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(-1, 1), st.integers(0, 20), st.integers(0, 20)), max_size=8),
    st.integers(0, 60),
)
def test_no_project_is_given_anything_while_one_with_less_still_wants(
    rows: list[tuple[int, int, int, int]], room: int
) -> None:
    wants = [Want(lane, *row) for lane, row in enumerate(rows)]
    found = shares(wants, room)
    load, served, hungry = dict.fromkeys((1, 2, 3), 0), set(), set()
    for want in wants:
        got = found.get(want.lane, 0)
        load[want.project] += want.holding + got
        served |= {want.project} if got else set()
        hungry |= {want.project} if got < want.wanted else set()
    assert all(load[one] - 1 <= load[other] for one in served for other in hungry)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(-1, 1), st.integers(0, 20), st.integers(0, 20)), max_size=8),
    st.integers(0, 60),
)
def test_a_lane_gets_nothing_while_a_more_urgent_one_of_its_project_still_wants(
    rows: list[tuple[int, int, int, int]], room: int
) -> None:
    wants = [Want(lane, *row) for lane, row in enumerate(rows)]
    found = shares(wants, room)
    for one in wants:
        for other in wants:
            if one.project == other.project and one.priority > other.priority and found.get(other.lane, 0):
                assert found.get(one.lane, 0) == one.wanted
