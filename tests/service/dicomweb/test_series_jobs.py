"""A series that came by STOW-RS is one job once it is quiet, if a rule takes it; else it says why not."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from disyre.errors import Misconfigured
from disyre.job import Job
from tests.live import wait_for
from tests.service.dicomweb import storing
from tests.service.dicomweb.storing import QUICK, SERIES, STUDY, files, series_of, store, wait_until_judged
from tests.service.key_files import client_of, write_keys
from tests.service.live_api import LiveApi, live_api

RULES = """
[[rules]]
name = "heads"
descriptions = ["*t1*"]
min_slices = 4
model = "t1w"
contrast = "T1w"
outputs = ["seg", "pm"]
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(RULES, encoding="utf-8")
    return path


@pytest.fixture
def api(tmp_path: Path, rules: Path) -> Iterator[LiveApi]:
    with live_api(tmp_path, stow_rules=rules, **QUICK) as api:
        yield api


def test_a_rule_may_send_results_to_an_archive_that_is_listed(tmp_path: Path, rules: Path) -> None:
    archives = tmp_path / "archives.toml"
    archives.write_text('[[server]]\nname = "pacs1"\nurl = "http://127.0.0.1:9"\n', encoding="utf-8")
    rules.write_text('[[rules]]\nname = "all"\nsend_to = ["pacs1"]\n', encoding="utf-8")
    with live_api(tmp_path, stow_rules=rules, pacs_file=archives, **QUICK) as api:
        store(api.client, t1())
        wait_until_judged(api.client)

        assert the_job(api).params.export == "pacs1"


def t1(n: int = 6, **attributes: Any) -> list[bytes]:
    return files(n, SeriesDescription="T1 of ZZCANARY", **attributes)


def the_job(api: LiveApi) -> Job:
    (job,) = api.jobs.list(limit=10)
    return job


def test_a_quiet_series_is_one_job_as_its_rule_wants_it(api: LiveApi) -> None:
    store(api.client, t1()[:3])
    (waiting,) = series_of(api.client)
    store(api.client, t1()[3:])

    series = wait_until_judged(api.client)

    job = the_job(api)
    assert (waiting["state"], waiting["n_images"], waiting["job_id"]) == ("waiting", 3, None)
    assert (series["state"], series["job_id"], series["rule"]) == ("submitted", job.id, "heads")
    assert (series["study_uid"], series["series_uid"], series["n_images"]) == (STUDY, SERIES, 6)
    assert api.client.get(series["job"]).json()["id"] == job.id
    assert (len(job.input.files), job.params.model, job.params.modality) == (6, "t1w", "T1w")
    assert job.params.outputs == ("nifti", "scan", "restored", "mask", "png", "pm", "seg")
    assert job.params.labels == {"from": "stow", "rule": "heads"}
    assert job.series is not None
    assert api.queue.job_ids == [job.id]
    assert api.artifacts.has_input(job.id, job.input)


def test_a_job_says_which_series_of_its_study_it_is(api: LiveApi) -> None:
    store(api.client, t1(SeriesNumber=5))
    wait_until_judged(api.client)

    assert the_job(api).params.labels == {"from": "stow", "rule": "heads", "series": "5"}


def test_without_rules_all_mr_is_scored_with_all_results(tmp_path: Path) -> None:
    with live_api(tmp_path, **QUICK) as api:
        store(api.client, files(Modality="MR"))
        wait_until_judged(api.client)

        job = the_job(api)
        assert (job.params.model, job.params.outputs, job.params.export) == (None, None, None)


def test_each_series_is_a_job_of_its_own(api: LiveApi) -> None:
    other = t1(SeriesInstanceUID="1.2.3")

    store(api.client, [*t1(), *other])

    wait_for(lambda: all(each["job_id"] for each in series_of(api.client)), "both are jobs")
    found = {each["series_uid"]: each["job_id"] for each in series_of(api.client)}
    assert found.keys() == {SERIES, "1.2.3"}
    assert set(found.values()) == set(storing.job_ids(api))
    assert [each["series_uid"] for each in series_of(api.client, series_uid="1.2.3")] == ["1.2.3"]
    assert series_of(api.client, study_uid="1.2.4") == []
    assert len(series_of(api.client, limit="1")) == 1


def test_the_same_images_again_make_no_second_job(api: LiveApi) -> None:
    store(api.client, t1())
    first = wait_until_judged(api.client)
    store(api.client, t1())
    again = wait_until_judged(api.client)

    assert again["last_image_at"] > first["last_image_at"]
    assert again["job_id"] == first["job_id"] == the_job(api).id


def test_a_part_and_then_the_whole_are_two_jobs(api: LiveApi) -> None:
    store(api.client, t1()[:4])
    part = wait_until_judged(api.client)
    store(api.client, t1()[4:])
    whole = wait_until_judged(api.client)

    assert [each.supersedes for each in api.jobs.list(limit=10)] == [part["job_id"], None]
    assert len(api.jobs.get(whole["job_id"]).input.files) == 6


def test_a_series_that_no_rule_takes_says_why_without_what_a_person_wrote(
    api: LiveApi, tmp_path: Path
) -> None:
    store(api.client, files(3, SeriesDescription="ZZCANARY"))

    series = wait_until_judged(api.client)

    assert (series["state"], series["code"], series["job_id"]) == ("rejected", "not-eligible", None)
    assert series["reasons"] == [
        "rule heads: expected a description like *t1*, got another",
        "rule heads: expected slices of at least 4, got 3",
    ]
    assert api.holds_nothing()
    assert ("reject_series", "local", None) in audited(tmp_path)


def audited(tmp_path: Path) -> list[tuple[str, str, str | None]]:
    """What was done, by whom, to which job."""
    lines = [line for path in (tmp_path / "audit").iterdir() for line in path.read_text().splitlines()]
    events = map(json.loads, lines)
    return [(each["what"], each["who"], each["job_id"]) for each in events]


def test_a_series_that_cannot_be_scored_says_why(api: LiveApi) -> None:
    images = t1(8)

    store(api.client, [*images[:3], *images[4:]])

    series = wait_until_judged(api.client)
    assert (series["state"], series["code"]) == ("rejected", "irregular-slices")
    assert "missing" in series["reasons"][0]
    assert api.holds_nothing()
    store(api.client, images[3:4])
    wait_for(lambda: series_of(api.client)[0]["state"] == "submitted", "the slice that was missing has come")


def test_a_rejected_series_that_is_sent_again_is_judged_again(tmp_path: Path, rules: Path) -> None:
    with live_api(tmp_path, stow_rules=rules, **QUICK) as api:
        store(api.client, files())
        assert wait_until_judged(api.client)["state"] == "rejected"
    rules.write_text('[[rules]]\nname = "all"\n', encoding="utf-8")
    with live_api(tmp_path, stow_rules=rules, **QUICK) as api:
        assert wait_until_judged(api.client)["state"] == "rejected"
        store(api.client, files()[:1])
        wait_for(lambda: series_of(api.client)[0]["state"] == "submitted", "it is judged again")


def test_a_job_is_the_senders_and_so_is_what_is_told_of_its_series(tmp_path: Path, rules: Path) -> None:
    keys = write_keys(tmp_path)
    with live_api(tmp_path, stow_rules=rules, api_keys_file=keys, **QUICK) as api, ExitStack() as stack:
        pacs, ward, boss = (stack.enter_context(client_of(api, name)) for name in ("pacs", "ward-3", "boss"))
        store(pacs, t1())
        series = wait_until_judged(pacs)

        assert the_job(api).owner == "pacs"
        assert series_of(ward) == []
        assert [each["owner"] for each in series_of(boss)] == ["pacs"]
        assert ("submit_series", "pacs", series["job_id"]) in audited(tmp_path)
        assert ("list_series", "boss", None) in audited(tmp_path)
        store(ward, t1())
        assert wait_until_judged(ward)["job_id"] != series["job_id"], "another one's images are another job"


def test_what_is_deleted_is_not_held_any_longer_and_may_be_sent_again(tmp_path: Path, rules: Path) -> None:
    with live_api(tmp_path, stow_rules=rules, **QUICK) as api:
        store(api.client, t1())
        job_id = wait_until_judged(api.client)["job_id"]
        assert api.client.delete(f"/v1/jobs/{job_id}").status_code == httpx.codes.NO_CONTENT
    with live_api(tmp_path, stow_rules=rules, **QUICK) as api:  # looks for deleted jobs as it starts
        wait_for(lambda: not storing.kept(tmp_path), "the images are removed")
        assert series_of(api.client) == []
        store(api.client, t1())
        assert wait_until_judged(api.client)["job_id"] not in (None, job_id)


def test_images_are_kept_for_a_time_and_what_was_scored_is_known_longer(tmp_path: Path, rules: Path) -> None:
    with live_api(tmp_path, stow_rules=rules, stow_keep_s=0.5, **QUICK) as api:
        store(api.client, t1())
        wait_for(lambda: api.jobs.list(limit=1), "it is a job")
        wait_for(lambda: not storing.kept(tmp_path), "its images are removed")
        assert series_of(api.client) == []
        (record,) = (tmp_path / "stow" / "records").glob("*.json")
        wait_for(lambda: STUDY not in record.read_text(encoding="utf-8"), "and its UIDs")
        store(api.client, t1())
        wait_for(lambda: not storing.kept(tmp_path), "they are removed again")
        assert len(api.jobs.list(limit=10)) == 1


def test_a_rejected_series_is_kept_for_a_time_of_its_own(tmp_path: Path, rules: Path) -> None:
    with live_api(tmp_path, stow_rules=rules, stow_keep_rejected_s=0.5, **QUICK) as api:
        store(api.client, files())
        wait_for(lambda: not storing.kept(tmp_path), "its images are removed")
        assert api.holds_nothing()


def test_a_full_queue_is_waited_for(
    tmp_path: Path, rules: Path, scan: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with live_api(tmp_path, stow_rules=rules, max_queued_jobs=1, **QUICK) as api:
        first = api.client.post("/v1/jobs", content=scan).json()["id"]
        store(api.client, t1())
        wait_for(lambda: "waits: " in caplog.text, "it is looked at")
        assert [each["state"] for each in series_of(api.client)] == ["waiting"]
        assert storing.job_ids(api) == [first]
    with live_api(tmp_path, stow_rules=rules, **QUICK) as api:
        assert wait_until_judged(api.client)["state"] == "submitted"
    assert "ZZCANARY" not in caplog.text
    assert SERIES not in caplog.text


def test_one_series_that_fails_does_not_hold_up_the_others(
    api: LiveApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store(api.client, t1())
    for path in storing.kept(tmp_path):
        path.write_bytes(b"damaged since")

    store(api.client, t1(SeriesInstanceUID="1.2.3"))

    wait_for(lambda: api.jobs.list(limit=1), "the other one is a job")
    wait_for(lambda: "failed: " in caplog.text, "the first one was looked at")
    found = {each["series_uid"]: each for each in series_of(api.client)}
    assert (found[SERIES]["state"], found[SERIES]["code"]) == ("rejected", "internal")
    assert caplog.text.count("failed: ") == 1, "it is not looked at again and again"
    store(api.client, t1())
    wait_for(lambda: len(api.jobs.list(limit=9)) == 2, "what is sent again is a job")


def test_a_series_that_cannot_be_read_now_waits(
    api: LiveApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store(api.client, t1())
    image = storing.kept(tmp_path)[0]
    image.unlink()
    image.mkdir()  # as little as a disk that fails can this be read

    wait_for(lambda: "waits: " in caplog.text, "it is looked at")
    assert [each["state"] for each in series_of(api.client)] == ["waiting"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no toml", "no TOML"),
        ('[[rules]]\nname = "a"\nsend_to = ["pacs"]', "destinations that are in the file"),
        ("", "rules: "),
        (
            '[destinations.a]\nae_title = "A"\nhost = "a"\nport = 104\n'
            '[[rules]]\nname = "a"\nsend_to = ["a"]',
            "one server of DISYRE_PACS_FILE",
        ),
    ],
)
def test_rules_that_cannot_be_followed_keep_the_api_from_starting(
    tmp_path: Path, rules: Path, text: str, reason: str
) -> None:
    rules.write_text(text, encoding="utf-8")

    with pytest.raises(Misconfigured, match=reason), live_api(tmp_path, stow_rules=rules):
        pass  # pragma: no cover


def test_rules_that_are_not_there_keep_the_api_from_starting(tmp_path: Path) -> None:
    with (
        pytest.raises(Misconfigured, match="DISYRE_STOW_RULES cannot be read"),
        live_api(tmp_path, stow_rules=tmp_path / "none"),
    ):
        pass  # pragma: no cover


def test_rules_with_a_model_that_is_not_installed_are_told_of_at_the_start(
    tmp_path: Path, rules: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules.write_text(RULES.replace('model = "t1w"', 'model = "nosuch"'), encoding="utf-8")

    with live_api(tmp_path, stow_rules=rules):
        said = "DISYRE_STOW_RULES: rule heads: expected a model that is there (t1w), got nosuch"
        assert said in caplog.messages
