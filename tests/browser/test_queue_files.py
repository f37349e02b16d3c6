"""Files of other labeling tools, by hand: looked at, brought in, taken away; and as the pages look."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import expect

from feedback.models import Queue
from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects import keys
from llmops.projects.models import Project
from llmops.projects.services import projects
from tests.browser.conftest import Watched
from tests.browser.test_every_page import look
from tests.feedback import exchanging

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]

SCREENS = settings.BASE_DIR / "artifacts" / "screens"


@pytest.fixture
def ada(transactional_db: None) -> User:
    keys.forget()
    ada = User.objects.create_user("ada@example.com", "correct horse battery", name="Ada")
    by = Actor(kind="user", id=ada.pk, text=ada.email, user_id=ada.pk)
    projects.create(slug="garden", name="Garden shop", admin=ada, by=by)
    return ada


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tasks.json").write_text(json.dumps(exchanging.LABEL_STUDIO_TASKS))
    (tmp_path / "config.xml").write_text(exchanging.LABEL_STUDIO_CONFIG)
    return tmp_path


def test_a_look_keeps_the_chosen_files_and_the_same_files_then_become_a_queue(
    ada: User, folder: Path, watched: Callable[..., Watched]
) -> None:
    browser = watched(ada)
    page = browser.page
    page.goto("/p/garden/labeling/-/file")
    page.get_by_label("Tasks or records").set_input_files(folder / "tasks.json")
    page.get_by_role("button", name="Look first").click()
    expect(page.get_by_text("Nothing would come in")).to_be_visible()
    page.get_by_label("What was asked").set_input_files(folder / "config.xml")
    page.get_by_label("Name in addresses").fill("replies")
    page.get_by_role("button", name="Look first").click()
    expect(page.get_by_role("heading", name="What would come in")).to_be_visible()
    expect(page.get_by_text("Nothing was kept. Choose")).to_have_count(0)
    page.get_by_role("button", name="Bring it in").click()
    page.wait_for_url("**/labeling/replies/")
    expect(page.get_by_text("Left out: The control “box”")).to_be_visible()
    assert Queue.objects.get().slug == "replies"
    assert not browser.wrong()


def test_a_queue_leaves_by_the_menu_of_its_page(ada: User, watched: Callable[..., Watched]) -> None:
    by = Actor(kind="user", id=ada.pk, text=ada.email, user_id=ada.pk)
    exchanging.queue(Project.objects.get(), by)
    page = watched(ada).page
    page.goto("/p/garden/labeling/answers/")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as taken:
        page.get_by_role("button", name="Tasks with labels").click()
    assert taken.value.suggested_filename == "answers-label-studio.json"
    assert Path(taken.value.path()).read_bytes() == exchanging.exported(Queue.objects.get(), "label_studio")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_a_look_and_the_open_menu_are_readable(
    ada: User, folder: Path, watched: Callable[..., Watched], theme: str, width: int, height: int
) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    by = Actor(kind="user", id=ada.pk, text=ada.email, user_id=ada.pk)
    exchanging.queue(Project.objects.get(), by)
    browser = watched(ada, width=width, height=height, theme=theme)
    page = browser.page
    page.goto("/p/garden/labeling/answers/")
    page.get_by_text("Export", exact=True).click()
    found = look(browser, f"queue-export-menu-{width}-{theme}")
    page.get_by_role("link", name="Fine-tuning and preferences").click()
    expect(page.get_by_role("heading", name="Fine-tuning files")).to_be_visible()
    found += look(browser, f"queue-training-{width}-{theme}")
    page.goto("/p/garden/labeling/answers/file")
    page.get_by_label("Tasks or records").set_input_files(folder / "tasks.json")
    page.get_by_role("button", name="Look first").click()
    expect(page.get_by_text("Nothing would come in")).to_be_visible()
    found += look(browser, f"queue-file-wrong-{width}-{theme}")
    page.goto("/p/garden/labeling/-/file")
    page.get_by_label("Tasks or records").set_input_files(folder / "tasks.json")
    page.get_by_label("What was asked").set_input_files(folder / "config.xml")
    page.get_by_label("Name in addresses").fill("replies")
    page.get_by_role("button", name="Look first").click()
    expect(page.get_by_role("heading", name="What would come in")).to_be_visible()
    found += look(browser, f"queue-file-looked-{width}-{theme}")
    assert not found + browser.wrong()
