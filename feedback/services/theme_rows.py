"""From a theme to rows of a dataset: proposed ones, which a person accepts or refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from evals.importers import rows as example_rows
from evals.importers.rows import ExampleRow
from evals.models import Dataset, ProposalRequest
from evals.services import proposals
from feedback.models import Theme
from feedback.queries import complaints
from feedback.queries import themes as queries
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import Invalid

DEFAULT_ROWS, MOST_ROWS = 20, 100
SHOWN_TO_MODEL = 8
LONGEST_SHOWN = 300


def propose_slice(
    *, theme: Theme, dataset: Dataset, by: Actor, now: datetime, count: int = DEFAULT_ROWS, split: str = ""
) -> ProposalRequest:
    """Propose the theme's newest calls as rows with the theme's tag; the user's correction is the expected answer.

    :raises Invalid: naming the field; also when no call of the theme makes a row.
    """
    if not 1 <= count <= MOST_ROWS:
        raise Invalid("Too many rows at once.", fields={"count": f"1 to {MOST_ROWS}"})
    rows: list[ExampleRow] = []
    problems: list[Mapping[str, Any]] = []
    for number, said in enumerate(queries.newest_said(theme, count), start=1):
        if said.call is None:
            problems.append({"row": number, "reason": "The call has not arrived."})
            continue
        try:
            rows.append(_row(theme, said, split))
        except Invalid as error:
            problems.append({"row": number, "reason": error.message[:300]})
    if not rows:
        raise Invalid("No logged call of this theme makes a row.", fields={"count": "no call makes a row"})
    return proposals.offer(
        dataset=dataset,
        rows=rows,
        description=f"Newest calls of the theme “{theme.name}”",
        by=by,
        now=now,
        problems=problems,
    )


def draft_cases(
    *, theme: Theme, dataset: Dataset, by: Actor, count: int = 5, split: str = "", connection: str = "", model: str = ""
) -> ProposalRequest:
    """Ask a model for new test cases about the theme; a person accepts or refuses each.

    :raises Invalid: naming each field that is not acceptable.
    :raises NotFound: when there is no such connection.
    """
    wanted = proposals.Wanted(
        dataset=dataset,
        source=ProposalRequest.Source.TAGS,
        description=described(theme),
        tags=[theme.tag],
        count=count,
        split=split,
        connection=connection,
        model=model,
    )
    return proposals.start(project=theme.project, wanted=wanted, by=by)


def described(theme: Theme) -> str:
    """The theme in words for a model: its name, top terms and some complaints."""
    lines = [
        f"Users complain about this: {theme.name}. Typical words: {', '.join(theme.terms)}.",
        "Write inputs on which an application that makes this mistake would fail again. Complaints:",
    ]
    for said in queries.newest_said(theme, SHOWN_TO_MODEL):
        shown = said.as_complaint()
        asked = f" (asked: {shown.asked[:LONGEST_SHOWN]})" if shown.asked and shown.said else ""
        lines.append(f"- {said.text[:LONGEST_SHOWN]}{asked}")
    return "\n".join(lines)[: proposals.MOST_DESCRIPTION]


def _row(theme: Theme, said: complaints.Said, split: str) -> ExampleRow:
    call = said.call
    assert call is not None
    metadata = {"call": call.client_id, "theme": ids.public("theme", theme.uid)}
    named = {"prompt": call.artifact_path, "commit": call.commit, "model": call.model}
    if complaint := " ".join((*said.comments, *said.tags)):
        metadata["complaint"] = complaint[:1_000]
    return example_rows.checked(
        {
            "inputs": call.inputs if isinstance(call.inputs, dict) else {"input": call.inputs},
            "expected": said.corrections[0] if said.corrections else None,
            "contexts": [_text(one) for one in call.contexts] if isinstance(call.contexts, list) else [],
            "metadata": metadata | {name: value for name, value in named.items() if value},
            "tags": [*dict.fromkeys([theme.tag, *call.tag_list])],
            "split": split,
        }
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
