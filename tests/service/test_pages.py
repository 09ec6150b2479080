"""The pages for people: what they are made of, and what a browser lets them do."""

import json
import re
from pathlib import Path

import pytest

from disyre.errors import DisyreError, OutOfMemory, StorageFull, TimedOut, invalid_input_codes
from disyre.job import WORKER_LOST
from tests.service.key_files import write_keys
from tests.service.live_api import LiveApi, live_api

VIEWER = Path(__file__).parents[2] / "service" / "viewer"
PAGES = ["/", "/viewer"]
NIIVUE = "/viewer/assets/vendor/niivue-0.69.0.js"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_there_and_all_that_it_names_is_too(shared_api: LiveApi, page: str) -> None:
    answer = shared_api.client.get(page)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    links = re.findall(r'(?:src|href)="(/[^"#]*)"', answer.text)
    assert any(link.endswith(".js") for link in links)
    for link in links:
        assert shared_api.client.get(link).status_code == 200
    assert shared_api.client.head(page).headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_may_run_and_ask_for_nothing_but_what_is_here(shared_api: LiveApi, page: str) -> None:
    headers = shared_api.client.get(page).headers

    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_pages_have_no_script_and_no_style_within_them_and_read_no_text_as_html() -> None:
    for path in VIEWER.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*src=)", text), path.name
    for path in VIEWER.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), (
            path.name
        )
        assert not re.search("https?://", text), path.name


def test_modules_import_only_what_is_served(shared_api: LiveApi) -> None:
    for path in VIEWER.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', path.read_text(encoding="utf-8")):
            answer = shared_api.client.get(f"/viewer/assets/{name}")
            assert answer.status_code == 200, name
            assert answer.headers["Content-Type"].startswith("text/javascript")


def test_a_file_that_the_browser_has_is_not_sent_again(shared_api: LiveApi) -> None:
    first = shared_api.client.get("/viewer/assets/style.css")

    again = shared_api.client.get(
        "/viewer/assets/style.css", headers={"If-None-Match": first.headers["ETag"]}
    )

    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["Cache-Control"] == "no-cache"


def test_what_has_its_version_in_its_name_is_kept_for_ever(shared_api: LiveApi) -> None:
    answer = shared_api.client.get(NIIVUE)

    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.content == (VIEWER / "vendor" / "niivue-0.69.0.js").read_bytes()
    plain = shared_api.client.get(NIIVUE, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.content == answer.content


@pytest.mark.parametrize(
    "path", ["index.html", "viewer.html", "vendor/LICENSE", "../pages.py", "..%2fpages.py", "", "none.js"]
)
def test_nothing_else_of_the_folder_or_beside_it_is_served(shared_api: LiveApi, path: str) -> None:
    assert shared_api.client.get(f"/viewer/assets/{path}").status_code == 404


def test_pages_need_no_key_as_they_say_nothing_of_anybody(tmp_path: Path) -> None:
    with live_api(tmp_path, api_keys_file=write_keys(tmp_path)) as api:
        assert api.client.get("/v1/jobs").status_code == 401
        assert [api.client.get(page).status_code for page in PAGES] == [200, 200]


def test_a_scan_is_offered_again_where_its_caller_need_not_act() -> None:
    words = (VIEWER / "words.js").read_text(encoding="utf-8")
    (listed,) = re.findall(r"const WORTH_A_RETRY = \[(.*?)\]", words, re.DOTALL)
    offered = set(re.findall(r'"([a-z-]+)"', listed))

    assert offered.isdisjoint(invalid_input_codes())
    assert {WORKER_LOST, DisyreError.code, OutOfMemory.code, TimedOut.code, StorageFull.code} <= offered


def test_each_figure_of_a_model_that_ships_has_words() -> None:
    card = (VIEWER / "model_card.js").read_text(encoding="utf-8")
    said = set(re.findall(r"^  ([a-z_]+): \[", card, re.MULTILINE))

    for manifest in (VIEWER.parents[1] / "models").glob("*/*/model.json"):
        assert set(json.loads(manifest.read_text(encoding="utf-8")).get("metrics", {})) <= said, manifest
