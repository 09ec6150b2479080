"""A stack on the command line, with toy models, and a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.browsing import ARGUMENTS, CHROMIUM, SLOW_MS
from tests.e2e.stack import Serve, serving
from tests.toy_model import make_two_models


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_two_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="package")
def serve(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Serve]:
    """A stack that is ready, for all tests that leave it running."""
    with serving(tmp_path_factory.mktemp("data"), models) as serve:
        assert "disyre is ready" in serve.wait_until_ready()
        yield serve


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=SLOW_MS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that must log no error, such as what its policy forbids."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, color_scheme="dark")
    context.set_default_timeout(SLOW_MS)
    expect.set_options(timeout=SLOW_MS)
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "console", lambda message: said.append(message.text) if "Content Security" in message.text else None
    )
    yield page
    context.close()
    assert said == []
