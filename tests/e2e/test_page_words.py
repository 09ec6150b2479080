"""What the pages say where there is nothing to show, and what they offer where it is of use."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.browsing import NEEDS_A_BROWSER, open_at, send
from tests.e2e.stack import Serve, scan_bytes

pytestmark = NEEDS_A_BROWSER
NO_JOB = "0192a2c0-0000-7000-8000-000000000000"
ASSETS = "/viewer/assets"


def test_of_a_scan_that_is_not_there_a_page_says_so_where_it_can_be_read(page: Page, serve: Serve) -> None:
    open_at(page, serve, f"/viewer?job={NO_JOB}")

    words = page.get_by_text("There is no such scan here.")
    expect(words).to_be_visible()
    expect(page.locator("#panel")).to_be_hidden()
    place, stage = words.bounding_box(), page.locator(".stage").bounding_box()
    assert place is not None
    assert stage is not None
    assert stage["width"] == page.evaluate("innerWidth")
    assert abs(place["y"] + place["height"] / 2 - (stage["y"] + stage["height"] / 2)) < 100
    assert "expected" not in page.locator("#over").inner_text()


def test_without_a_map_a_scan_offers_its_results_and_the_viewer_says_what_to_do(
    page: Page, serve: Serve
) -> None:
    sent = serve.post("/v1/jobs", files={"file": ("scan.nii.gz", scan_bytes())}, params={"outputs": "png"})
    job_id = sent.json()["id"]
    assert serve.wait_until_finished(job_id, within_s=240)["state"] == "succeeded"
    open_at(page, serve)

    row = page.locator(".job", has=page.locator(f"a[href$='{job_id}']"))
    expect(row.get_by_role("link", name="View")).to_have_count(0)
    row.get_by_role("link", name="Results").click()

    expect(page.locator("#over")).to_contain_text("send it again with all outputs")
    expect(page.locator("#over img")).to_be_visible()
    expect(page.locator("#panel")).to_contain_text("summary.json")


def test_a_key_is_asked_for_once_in_calm_words(page: Page, serve: Serve) -> None:
    refusal = {"status": 401, "code": "unauthenticated", "detail": "expected an API key, got none"}
    page.route("**/v1/**", lambda route: route.fulfill(status=401, body=json.dumps(refusal)))
    open_at(page, serve)

    expect(page.locator("#key-reason")).to_have_text("This service asks for an API key.")
    expect(page.locator("#list")).to_have_text("Scans are shown once a key is given.")
    expect(page.locator(".problem")).to_have_count(0)

    _give_key(page, "wrong")

    expect(page.locator("#key-reason")).to_have_text("This service does not know the key that it was given.")


@pytest.mark.parametrize("path", ["/", f"/viewer?job={NO_JOB}"])
def test_a_key_that_no_header_can_carry_is_told_of_as_a_wrong_one_and_is_not_sent(
    page: Page, serve: Serve, path: str
) -> None:
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        refusal = {"status": 401, "code": "unauthenticated", "detail": "expected an API key, got none"}
        route.fulfill(status=401, body=json.dumps(refusal))

    page.route("**/v1/**", refuse)
    open_at(page, serve, path)
    expect(page.locator("#key-reason")).to_have_text("This service asks for an API key.")
    before = len(asked)

    _give_key(page, "nonsense ключ")

    expect(page.locator("#key-reason")).to_have_text("This service does not know the key that it was given.")
    expect(page.locator("#key-dialog")).to_be_visible()
    expect(page.locator(".problem")).to_have_count(0)
    assert len(asked) == before


def test_files_that_are_sent_with_a_key_that_no_header_can_carry_are_not_taken(
    page: Page, serve: Serve
) -> None:
    open_at(page, serve)
    page.click("#key-button")
    _give_key(page, "nonsense ключ")
    page.click("#key-cancel")

    send(page, "scan.nii.gz", scan_bytes())

    expect(page.locator(".refusal")).to_contain_text("expected an API key")
    expect(page.locator(".refusal").get_by_role("button", name="Send it again")).to_be_visible()


@pytest.mark.parametrize(
    ("code", "n_buttons"), [("unreadable-volume", 0), ("too-few-slices", 0), ("worker-lost", 1)]
)
def test_what_cannot_get_better_is_not_offered_again(
    page: Page, serve: Serve, code: str, n_buttons: int
) -> None:
    serve.submit()

    def failed(route: Route) -> None:
        answer = route.fetch()
        document = answer.json()
        for job in document["jobs"]:
            job.update(state="failed", error={"code": code, "detail": f"expected none, got {code}"})
        route.fulfill(response=answer, json=document)

    page.route("**/v1/jobs?limit=25", failed)
    open_at(page, serve)

    row = page.locator(".job").first
    expect(row).to_contain_text(code)
    expect(row.get_by_role("button", name="Delete")).to_be_visible()
    expect(row.get_by_role("button", name="Again")).to_have_count(n_buttons)


def test_files_were_taken_and_a_file_was(page: Page, serve: Serve) -> None:
    open_at(page, serve)

    said = page.evaluate(f"import('{ASSETS}/words.js').then((m) => [[1], [1, 2]].map(m.wasOrWere))")

    assert said == ["was", "were"]


def test_a_model_card_says_its_figures_in_words(page: Page, serve: Serve) -> None:
    open_at(page, serve)
    model: dict[str, Any] = {
        "modality": "FLAIR",
        "created_at": "2026-11-27T10:00:00Z",
        "n_parameters": 2334593,
        "licence": "CC-BY-4.0",
        "calibration": {"threshold": 0.027751, "healthy_percentile": 99.5},
        "training_data": [{"name": "some scans", "licence": "CC0-1.0"}],
        "metrics": {"lesion_ap": 0.22648, "dag_mse_ratio": 0.16636, "clean_mae": 1.8e-07, "of_later": 0.5},
    }

    text = page.evaluate(
        f"(model) => import('{ASSETS}/model_card.js').then((m) => m.modelCard(model).textContent)", model
    )

    for part in ("2.3 million", "Lesions found0.23", "Left of synthetic anomalies16.6 %", "less than 0.0001"):
        assert part in text
    for raw in ("ap0", "mse", "mae", "_", "of later"):
        assert raw not in text


@pytest.mark.parametrize(("width", "height"), [(1040, 760), (820, 640), (600, 1000), (1800, 500)])
def test_planes_share_the_canvas_and_each_has_room(page: Page, serve: Serve, width: int, height: int) -> None:
    open_at(page, serve)
    low, high = [-80, -100, -60], [80, 100, 90]

    layout = page.evaluate(
        f"(given) => import('{ASSETS}/frame.js').then((m) => m.layoutOf(...given))",
        [[low, high], width, height],
    )

    assert [each["sliceType"] for each in layout] == [0, 1, 2]
    sizes = ((160, 200), (160, 150), (200, 150))
    drawn = 0.0
    for each, (wide, tall) in zip(layout, sizes, strict=True):
        left, top, part_wide, part_tall = each["position"]
        assert min(left, top) >= 0
        assert max(left + part_wide, top + part_tall) <= 1 + 1e-9
        scale = min(part_wide * width / wide, part_tall * height / tall)
        assert scale > 0.8
        drawn += scale**2 * wide * tall
    assert 0.9 < sum(each["position"][2] * each["position"][3] for each in layout) < 1
    assert drawn > 0.45 * width * height


def _give_key(page: Page, text: str) -> None:
    page.fill("#key-field", text)
    page.get_by_role("button", name="Use it").click()
