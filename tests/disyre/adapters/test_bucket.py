"""A bucket that is away, slow, full or refuses fails in our words; what comes from it is what was put."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.session import Session

from disyre.adapters.artifact_stores import open_artifact_store
from disyre.adapters.bucket import Bucket, _session
from disyre.adapters.bucket_artifact_store import BucketArtifactStore
from disyre.adapters.folder_artifact_store import FolderArtifactStore
from disyre.adapters.settings import SharedSettings
from disyre.errors import (
    ArtifactNotFound,
    ArtifactsAway,
    ArtifactsRefused,
    DamagedArtifact,
    JobCanceled,
    Misconfigured,
    StorageFull,
    TimedOut,
)
from tests.live_bucket import (
    KEY,
    NOBODY_LISTENS,
    Line,
    LiveBucket,
    answering,
    connect,
    make_bucket,
    silent,
)


@pytest.fixture(scope="module")
def live(s3: str) -> LiveBucket:
    return make_bucket(s3, "scans")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content" * 2**18)
    return path


CALLS: list[Callable[[Bucket, Path], object]] = [
    lambda bucket, file: bucket.put("key", file),
    lambda bucket, file: bucket.write("key", b"content"),
    lambda bucket, file: bucket.copy("key", "other"),
    lambda bucket, file: bucket.get("key", file),
    lambda bucket, file: bucket.read("key"),
    lambda bucket, file: bucket.has("key"),
    lambda bucket, file: bucket.keys("key"),
    lambda bucket, file: bucket.folders("key/"),
    lambda bucket, file: bucket.remove("key"),
    lambda bucket, file: bucket.check(),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_bucket_that_is_away_is_away_whatever_is_asked(
    call: Callable[[Bucket, Path], object], file: Path
) -> None:
    with pytest.raises(ArtifactsAway, match="does not answer") as caught:
        call(connect(NOBODY_LISTENS), file)

    assert type(caught.value) is ArtifactsAway
    assert "127.0.0.1" not in str(caught.value)


def test_a_bucket_that_never_answers_is_away(file: Path) -> None:
    with silent() as endpoint, pytest.raises(ArtifactsAway, match="does not answer"):
        connect(endpoint, timeout_s=0.1).has("key")


def test_an_object_of_which_the_end_does_not_come_is_not_taken_for_whole(file: Path) -> None:
    with (
        answering((200, ""), body=b"half", length=8) as endpoint,
        pytest.raises(ArtifactsAway, match="does not answer"),
    ):
        connect(endpoint).get("key", file)


@pytest.mark.parametrize(
    ("status", "code", "error", "said"),
    [
        (403, "AccessDenied", ArtifactsRefused, r"refuses this service \(AccessDenied, status 403\)"),
        (403, "SignatureDoesNotMatch", ArtifactsRefused, r"\(SignatureDoesNotMatch, status 403\)"),
        (403, "no code at all", ArtifactsRefused, r"refuses this service \(status 403\)"),
        (405, "MethodNotAllowed", ArtifactsRefused, r"\(MethodNotAllowed, status 405\)"),
        (404, "NoSuchBucket", ArtifactsRefused, r"\(NoSuchBucket, status 404\)"),
        (301, "PermanentRedirect", ArtifactsRefused, r"\(PermanentRedirect, status 301\)"),
        (302, "Found", ArtifactsRefused, r"\(Found, status 302\)"),
        (404, "NoSuchKey", ArtifactNotFound, "no such object"),
        (507, "InsufficientStorage", StorageFull, "full"),
        (403, "QuotaExceeded", StorageFull, "full"),
        (503, "SlowDown", ArtifactsAway, "busy"),
        (500, "InternalError", ArtifactsAway, "out of order"),
        (429, "TooManyRequests", ArtifactsAway, "busy"),
    ],
)
def test_what_a_bucket_answers_is_put_into_our_words(
    status: int, code: str, error: type[Exception], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with answering((status, code)) as endpoint, pytest.raises(error, match=said) as caught:
        connect(endpoint).read("key")

    assert type(caught.value) is error
    refused = [record.getMessage() for record in caplog.records if record.name == "disyre.adapters.bucket"]
    assert bool(refused) is (error is ArtifactsRefused)
    assert all(code in line for line in refused)
    assert KEY[1] not in caplog.text


def test_a_key_that_nobody_gave_is_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    with pytest.raises(ArtifactsRefused, match=r"from DISYRE_ARTIFACTS_KEY_ID, .* got none"):
        connect(NOBODY_LISTENS, key=None).has("key")


def test_who_is_patient_waits_for_a_bucket_that_is_away_for_a_while() -> None:
    slept: list[float] = []
    with answering(*[(503, "SlowDown")] * 4, (404, "NoSuchKey")) as endpoint:
        assert not connect(endpoint, patience_s=60.0, sleep=slept.append).has("key")

    assert sum(slept) == 4.0, "twice: each attempt is two requests"


def test_who_waits_for_a_bucket_can_be_stopped(file: Path) -> None:
    def stop() -> None:
        raise JobCanceled

    with pytest.raises(JobCanceled):
        connect(NOBODY_LISTENS, patience_s=60.0).get("key", file, on_step=stop)


@pytest.mark.parametrize("error", [JobCanceled, TimedOut])
def test_a_file_is_no_object_if_it_is_stopped_in_the_midst(
    live: LiveBucket, file: Path, error: type[BaseException]
) -> None:
    """It is read once for its signature, in some parts, and then sent in many."""
    n_asked, bucket = 0, live.connect()

    def stop() -> None:
        nonlocal n_asked
        n_asked += 1
        if n_asked > 10:
            raise error

    with pytest.raises(error):
        bucket.put("stopped", file, on_step=stop)

    assert n_asked > 10
    assert not bucket.has("stopped")


def test_an_object_is_what_was_put(live: LiveBucket, file: Path, tmp_path: Path) -> None:
    bucket = live.connect()
    bucket.put("a/key", file)
    bucket.copy("a/key", "a/copy")

    for key in ("a/key", "a/copy"):
        bucket.get(key, tmp_path / "fetched")
        assert (tmp_path / "fetched").read_bytes() == file.read_bytes()
    assert sorted(bucket.keys("a/")) == ["a/copy", "a/key"]
    with pytest.raises(ArtifactNotFound):
        bucket.copy("a/none", "a/other")


def test_an_object_that_somebody_replaced_is_no_result(live: LiveBucket, file: Path, tmp_path: Path) -> None:
    bucket = live.connect()
    bucket.put("replaced", file)
    live.replace("disyre/replaced", b"other")

    with pytest.raises(DamagedArtifact, match="got others"):
        bucket.get("replaced", tmp_path / "fetched")


def test_a_prefix_is_one_that_others_do_not_see(live: LiveBucket, file: Path) -> None:
    other = connect(live.endpoint, "s3://scans")
    other.put("of-others/key", file)

    assert "of-others" not in live.connect().folders("")
    assert "of-others" in other.folders("")


PUT = """
import sys
from pathlib import Path
from tests.live_bucket import connect
connect(sys.argv[1]).put("killed", Path(sys.argv[2]))
"""


def test_of_an_upload_whose_process_was_killed_there_is_no_object(live: LiveBucket, file: Path) -> None:
    line = Line(live.endpoint, stop_after=500_000)
    process = subprocess.Popen([sys.executable, "-c", PUT, line.address, str(file)])
    assert line.has_stopped.wait(30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    line.close()

    assert not live.connect().has("killed")


# Which store the settings ask for.


def settings(live: LiveBucket, folder: Path, **more: str | None) -> SharedSettings:
    given = {name.removeprefix("DISYRE_").lower(): each for name, each in live.settings(folder).items()}
    return SharedSettings.model_validate({**given, "data_dir": str(folder), **more})


def test_without_a_url_files_are_in_a_folder_and_with_one_in_a_bucket(
    live: LiveBucket, tmp_path: Path
) -> None:
    folder = open_artifact_store(SharedSettings(data_dir=tmp_path), timeout_s=5)
    bucket = open_artifact_store(settings(live, tmp_path), timeout_s=5)

    assert (type(folder), type(bucket)) == (FolderArtifactStore, BucketArtifactStore)


def test_a_program_starts_without_its_bucket_but_not_with_one_that_refuses_it(
    live: LiveBucket, tmp_path: Path
) -> None:
    away = settings(live, tmp_path, artifacts_endpoint=NOBODY_LISTENS)
    store = open_artifact_store(away, timeout_s=5)
    assert [store.is_reachable() for _ in range(2)] == [False, False]

    with pytest.raises(Misconfigured, match=r"DISYRE_ARTIFACTS_URL cannot be used: .*NoSuchBucket"):
        open_artifact_store(settings(live, tmp_path, artifacts_url="s3://no-such-bucket"), timeout_s=5)
    with answering((404, "")) as endpoint, pytest.raises(Misconfigured, match="found something else"):
        open_artifact_store(settings(live, tmp_path, artifacts_endpoint=endpoint), timeout_s=5)


@pytest.mark.parametrize(
    "url", ["scans", "https://scans", "s3://", "s3://key:secret@scans", "s3://scans?x=1", "s3://scans#x"]
)
def test_an_address_that_is_none_of_a_bucket_is_refused(live: LiveBucket, tmp_path: Path, url: str) -> None:
    with pytest.raises(Misconfigured, match=r"s3://<bucket>/<prefix>") as caught:
        open_artifact_store(settings(live, tmp_path, artifacts_url=url), timeout_s=5)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["ho sp", "ward:80", "hôpital", "x" * 256, "scans--x-s3"])
def test_a_name_that_no_bucket_can_have_is_refused_at_the_start(
    live: LiveBucket, tmp_path: Path, name: str
) -> None:
    of_amazon = settings(live, tmp_path, artifacts_url=f"s3://{name}/x", artifacts_endpoint=None)

    with pytest.raises(Misconfigured, match=r"DISYRE_ARTIFACTS_URL cannot be used: .*no bucket can have"):
        open_artifact_store(of_amazon, timeout_s=5)


def test_an_endpoint_that_is_no_address_is_refused(live: LiveBucket, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="expected the address of a bucket"):
        open_artifact_store(settings(live, tmp_path, artifacts_endpoint="nonsense"), timeout_s=5)


def test_half_a_key_is_refused(live: LiveBucket, tmp_path: Path) -> None:
    known = settings(live, tmp_path).model_dump()
    for missing in ("artifacts_key_id", "artifacts_secret_key_file"):
        with pytest.raises(Misconfigured, match="together"):
            SharedSettings.model_validate({**known, missing: None}).artifacts_key()
    with pytest.raises(Misconfigured, match="ARTIFACTS_SECRET_KEY_FILE cannot be read"):
        settings(live, tmp_path, artifacts_secret_key_file="none").artifacts_key()


def test_a_bucket_without_the_library_for_it_is_refused(
    live: LiveBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "disyre.adapters.bucket", None)

    with pytest.raises(Misconfigured, match="extra s3"):
        open_artifact_store(settings(live, tmp_path), timeout_s=5)


def test_who_wants_no_bucket_does_not_load_its_library() -> None:
    look = "import sys, disyre.adapters.artifact_stores; sys.exit('botocore' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0


def test_how_the_api_looks_is_read_without_its_documentation() -> None:
    looks = _session().get_component("data_loader").load_service_model("s3", "service-2")

    assert looks["operations"]["PutObject"]["documentation"] == ""
    assert Session().get_data("s3/2006-03-01/service-2")["operations"]["PutObject"]["documentation"]


def test_what_the_library_has_no_model_of_is_not_found_as_it_says_it() -> None:
    with pytest.raises(UnknownServiceError):
        _session().create_client("no-such-service", region_name="us-east-1")
    with pytest.raises(DataNotFoundError):
        _session().get_data("no-such-file")
