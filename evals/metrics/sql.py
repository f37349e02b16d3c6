"""Outputs that must be SQL of a dialect, and touch allowed tables and columns only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from evals.metrics import patterns
from evals.metrics.types import Json, Metric, Outcome, Scorer, Unscored, param, verdict

MAX_CHARACTERS = 8_000
DIALECTS = (
    "any", "mysql", "postgres", "sqlite", "bigquery", "snowflake", "tsql", "redshift", "oracle", "duckdb", "clickhouse",
    "databricks", "hive", "presto", "spark", "trino",
)  # fmt: skip
_FENCE = re.compile(r"```[ \t]*sql[ \t]*\r?\n(.*?)```", re.DOTALL | re.IGNORECASE)
_ANY_FENCE = re.compile(r"```")
# Words that no dialect takes as a table's name without quotes, though the parser is patient.
_RESERVED_TABLE = re.compile(
    r"\b(?:from|join|into|update|table)\s+(?:select|from|where|insert|update|delete|join|order|group)\b", re.IGNORECASE
)
_WITHOUT_ILIKE = {"mysql", "sqlite", "tsql", "oracle", "hive", "bigquery", "presto", "trino"}
_ARROWS = re.compile(r"[<>]{4}")  # the parser takes very long over many of them
_QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`")


@dataclass(frozen=True, slots=True)
class Sql:
    dialect: str = param("any", "whose SQL it must be", choices=DIALECTS)
    anywhere: bool = param(False, "a ```sql block in the output is enough")
    tables: list[str] = field(
        default_factory=list,
        metadata={
            "meaning": "patterns (re2) of allowed tables, written `verb::database::table`, as `select::null::users`"
        },
    )
    columns: list[str] = field(
        default_factory=list,
        metadata={
            "meaning": "patterns (re2) of allowed columns, written `verb::table::column`, as `select::null::name`"
        },
    )


def sql_valid(params: Sql) -> Scorer:
    allowed_tables = [patterns.compiled(f"(?i:{pattern})", "params.tables") for pattern in params.tables]
    allowed_columns = [patterns.compiled(f"(?i:{pattern})", "params.columns") for pattern in params.columns]

    def score(output: str, expected: Json) -> Outcome:
        if len(output) > MAX_CHARACTERS:
            return Unscored(f"the output is longer than {MAX_CHARACTERS:,} characters")
        text = output
        if params.anywhere:
            blocks = _FENCE.findall(output)
            if not blocks and _ANY_FENCE.search(output):
                return verdict(False, "", "no SQL block in the output")
            text = blocks[0] if blocks else output
        statements = parsed(text, params.dialect)
        if isinstance(statements, str):
            return verdict(False, "", statements)
        for statement in statements:
            if problem := _refused(statement, allowed_tables, allowed_columns):
                return verdict(False, "", problem)
        return verdict(True, f"{len(statements)} statements of SQL" if len(statements) > 1 else "valid SQL", "")

    return score


def parsed(text: str, dialect: str) -> list[Any] | str:
    """The statements, or why it is no SQL. sqlglot reads more than any database does; the worst of that is refused."""
    import sqlglot  # noqa: PLC0415  (a quarter of a second)
    from sqlglot import errors, exp  # noqa: PLC0415

    if _ARROWS.search(_QUOTED.sub("''", text)):
        return "not SQL: no operator is written so"
    try:
        found = sqlglot.parse(text, dialect=None if dialect == "any" else dialect)
    except errors.SqlglotError as error:
        return f"not SQL: {' '.join(_plain(str(error)).split())[:150]}"
    except RecursionError:
        return "not readable as SQL: nested too deeply"
    statements = [statement for statement in found if statement is not None]
    if not statements:
        return "the output is empty"
    # A bare word or sum is an expression of SQL but no statement, and so are commands that were not understood.
    if not all(isinstance(one, _statements(exp)) for one in statements):
        return "not a statement of SQL"
    if _RESERVED_TABLE.search(_QUOTED.sub("''", text)):
        return "not SQL: a reserved word stands where a table's name must"
    if dialect in _WITHOUT_ILIKE and any(next(iter(one.find_all(exp.ILike)), None) for one in statements):
        return f"{dialect} has no ILIKE"
    return statements


def _statements(exp: Any) -> tuple[Any, ...]:
    return (exp.Query, exp.DML, exp.DDL, exp.Drop, exp.Alter, exp.TruncateTable, exp.Set, exp.Use, exp.Describe,
            exp.Transaction, exp.Commit, exp.Rollback, exp.Merge, exp.Show, exp.Grant, exp.Analyze)  # fmt: skip


def _plain(text: str) -> str:
    """Without the colours that sqlglot puts into its messages."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _refused(statement: Any, allowed_tables: list[Any], allowed_columns: list[Any]) -> str:
    """The first table or column that is not allowed, in words; empty when all are."""
    for what, allowed, names in (
        ("table", allowed_tables, _tables(statement)),
        ("column", allowed_columns, _columns(statement)),
    ):
        if not allowed:
            continue
        for name in names:
            if not any(pattern.fullmatch(name) for pattern in allowed):
                return f"the {what} {name[:100]} is not allowed"
    return ""


def _verb(statement: Any) -> str:
    return str(statement.key)


def _target(statement: Any) -> Any:
    """The table that a statement writes to; None for a query."""
    from sqlglot import exp  # noqa: PLC0415

    if not isinstance(statement, exp.DML | exp.Merge):
        return None
    return statement.this if isinstance(statement.this, exp.Table) else statement.find(exp.Table)


def _tables(statement: Any) -> Iterator[str]:
    from sqlglot import exp  # noqa: PLC0415

    target = _target(statement)
    ours = {common.alias_or_name for common in statement.find_all(exp.CTE)}
    for table in statement.find_all(exp.Table):
        if table.name in ours and not table.db:
            continue
        verb = _verb(statement) if table is target or target is None else "select"
        yield f"{verb}::{table.db or 'null'}::{table.name}"


def _columns(statement: Any) -> Iterator[str]:
    """Columns that a statement writes have its verb, those it reads have `select`; without a table, `null`."""
    from sqlglot import exp  # noqa: PLC0415

    target = _target(statement)
    names = {table.alias_or_name: table.name for table in statement.find_all(exp.Table)}
    written: set[int] = set()
    if isinstance(statement, exp.Insert) and isinstance(statement.this, exp.Schema):
        for column in statement.this.expressions:
            yield f"insert::{target.name}::{column.name}"
    if isinstance(statement, exp.Update):
        for assignment in statement.expressions:
            written.add(id(assignment.this))
            yield f"update::{target.name}::{assignment.this.name}"
    for column in statement.find_all(exp.Column):
        if id(column) not in written:
            table = names.get(column.table, column.table) or (target.name if target is not None else "null")
            yield f"select::{table}::{column.name}"
    for _ in (star for star in statement.find_all(exp.Star) if not isinstance(star.parent, exp.Count | exp.Column)):
        yield "select::null::(.*)"


METRICS = (Metric("sql_valid", "the output is SQL", Sql, sql_valid, family="structure"),)
