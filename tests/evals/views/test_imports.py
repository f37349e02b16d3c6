"""Pages of imports."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from evals.models import Dataset, Import
from evals.queries import datasets as queries
from evals.services import imports

HTMX = {"HX-Request": "true"}
CSV = b"mail,label\nWhere is it?,delivery\nMoney back!,refund\n"


def uploaded(page: Client, content: bytes, name: str = "mails.csv") -> Any:
    return page.post("/p/garden/datasets/mails/import/", {"file": SimpleUploadedFile(name, content)})


def test_an_uploaded_file_is_previewed_before_anything_is_written(page: Client, dataset: Dataset) -> None:
    answer = page.get(uploaded(page, CSV).url)
    body = answer.content.decode()
    assert "Nothing is written yet" in body
    assert [field.value() for field in answer.context["form"].column_fields] == ["inputs.mail", "expected"]
    assert "Money back!" in body
    assert queries.examples_of(dataset).count() == 3


def test_an_import_is_started_followed_and_read(page: Client, dataset: Dataset) -> None:
    address = uploaded(page, CSV + b"too,many,values\n").url
    assert "of 3 rows cannot be read" in page.get(address).content.decode()
    sent = {"column_0": "inputs.mail", "column_1": "expected", "skip_known": "on"}
    state = page.post(address, sent).url  # type: ignore[attr-defined]
    running = page.get(state, headers=HTMX).content.decode()
    assert 'hx-trigger="every 1s"' in running
    imports.work(import_id=Import.objects.get().pk)
    done = page.get(state, headers=HTMX).content.decode()
    assert "hx-trigger" not in done
    assert "<b>2</b> added" in done
    assert '<td class="num">4</td>' in done
    assert queries.examples_of(dataset).count() == 5


def test_a_mapping_without_an_input_comes_back_as_typed(page: Client, dataset: Dataset) -> None:
    address = uploaded(page, CSV).url
    answer = page.post(address, {"column_0": "nonsense", "column_1": "expected"})
    assert list(answer.context["form"].errors) == ["column_0"]
    assert 'value="nonsense"' in answer.content.decode()


def test_another_mapping_is_previewed(page: Client, dataset: Dataset) -> None:
    address = uploaded(page, CSV).url
    sent = {"column_0": "expected", "column_1": "inputs.folder", "then": "preview"}
    answer = page.post(address, sent)
    assert [(row.inputs, row.expected) for row in answer.context["rows"]] == [
        ("delivery", "Where is it?"),
        ("refund", "Money back!"),
    ]


def test_an_import_is_cancelled(page: Client, dataset: Dataset) -> None:
    address = uploaded(page, CSV).url
    state = page.post(address, {"column_0": "inputs.mail", "column_1": "expected"}).url  # type: ignore[attr-defined]
    assert "Cancelled" in page.post(f"{state}cancel/", headers=HTMX).content.decode()
    assert queries.examples_of(dataset).count() == 3


def test_what_is_no_table_is_refused_beside_the_file(page: Client, dataset: Dataset) -> None:
    assert "is empty" in uploaded(page, b"").content.decode()
    address = uploaded(page, b"PK\x03\x04 binary", "mails.zip").url
    answer = page.get(address)
    assert answer.status_code == 400
    assert "compressed or binary" in answer.content.decode()


def test_an_upload_of_nobody_is_not_found(page: Client, dataset: Dataset) -> None:
    assert page.get(f"/p/garden/datasets/mails/import/{'0' * 64}/").status_code == 404
    assert page.get("/p/garden/imports/imp_nothing/").status_code == 404
