"""`disyre serve` as a person starts it: over HTTP, with programs that are killed, until Ctrl-C."""

import gzip
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from disyre.adapters.broker import connect
from disyre.adapters.queue_names import QUEUE_NAME
from disyre.model_package import NETWORK_FILE
from tests.builders import make_volume
from tests.e2e.stack import SCAN_SHAPE, Serve, scan_bytes, serving
from tests.live import free_port, live_broker, wait_for
from tests.toy_model import SLOW_MODEL, make_toy_model


def test_a_scan_gives_a_map_on_its_own_grid(serve: Serve) -> None:
    job = serve.wait_until_finished(serve.submit())

    serve.assert_one_whole_result(job)
    content = serve.get(f"/v1/jobs/{job['id']}/results/anomaly.nii.gz").content
    image = nib.Nifti1Image.from_bytes(gzip.decompress(content))
    assert image.shape == SCAN_SHAPE
    np.testing.assert_allclose(image.affine, make_volume(SCAN_SHAPE).affine)


def test_a_running_job_is_canceled(serve: Serve) -> None:
    job_id = serve.submit(SLOW_MODEL)
    serve.wait_until_restoring(job_id)

    serve.post(f"/v1/jobs/{job_id}/cancel")

    assert serve.wait_until_finished(job_id)["state"] == "canceled"
    assert [path.name for path in (serve.data_dir / "jobs" / job_id).iterdir()] == ["input"]


@pytest.mark.parametrize("program", ["-m worker", "-m service"])
def test_a_job_is_finished_though_a_program_is_killed(serve: Serve, program: str) -> None:
    job_id = serve.submit(SLOW_MODEL)
    serve.wait_until_restoring(job_id)

    serve.kill(program)

    serve.assert_one_whole_result(serve.wait_until_finished(job_id))


def test_a_message_that_nobody_understands_is_survived(serve: Serve) -> None:
    broker_url = f"redis+socket://{serve.data_dir}/broker/broker.sock"
    with connect(broker_url, timeout_s=2) as client:
        client.lpush(QUEUE_NAME, "not json")  # Celery ends the worker, and it is started again

    serve.assert_one_whole_result(serve.wait_until_finished(serve.submit()))


def test_a_second_stack_on_the_same_folder_is_refused(serve: Serve, models: Path) -> None:
    with serving(serve.data_dir, models) as second:
        out, err = second.process.communicate(timeout=30)

    assert (second.process.returncode, out) == (1, "")
    assert "another 'disyre serve' uses" in err


def test_a_port_that_is_in_use_is_refused(serve: Serve, models: Path, tmp_path: Path) -> None:
    with serving(tmp_path, models, port=serve.port) as second:
        out, err = second.process.communicate(timeout=30)

    assert (second.process.returncode, out) == (1, "")
    assert f"port {serve.port} is in use" in err


def test_a_broker_that_does_not_answer_is_refused(tmp_path: Path, models: Path) -> None:
    nowhere = f"redis://:secret@127.0.0.1:{free_port()}/0"
    with serving(tmp_path, models, DISYRE_BROKER_URL=nowhere) as serve:
        out, err = serve.process.communicate(timeout=30)

    assert (serve.process.returncode, out) == (1, "")
    assert "the broker that DISYRE_BROKER_URL names does not answer" in err
    assert "secret" not in err


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("DISYRE_MAX_FILES", "wrong setting DISYRE_MAX_FILES: "),
        ("DISYRE_PROVIDER", "wrong setting DISYRE_PROVIDER: "),
        ("DISYRE_MAX_FILE", "unknown setting DISYRE_MAX_FILE; the nearest known one is DISYRE_MAX_FILES"),
    ],
)
def test_a_setting_of_any_program_that_is_wrong_is_told_in_one_line(
    tmp_path: Path, models: Path, setting: str, reason: str
) -> None:
    with serving(tmp_path, models, port=None, **{setting: "ZZCANARY"}) as serve:
        out, err = serve.process.communicate(timeout=30)

    assert (serve.process.returncode, out) == (1, "")
    assert err.startswith(f"disyre: {reason}")
    assert err.count("\n") == 1
    assert "ZZCANARY" not in err
    assert list((tmp_path / "logs").iterdir()) == []


def test_a_stack_on_a_broker_that_is_there_starts_none(tmp_path: Path, models: Path) -> None:
    with (
        live_broker(tmp_path / "broker") as broker,
        serving(tmp_path / "data", models, DISYRE_BROKER_URL=broker.url) as serve,
    ):
        serve.wait_until_ready()

        assert not [process for process in serve.processes() if "valkey-server" in process.command]
        assert serve.wait_until_finished(serve.submit())["state"] == "succeeded"
        assert serve.stop() == 0


def test_a_stack_that_is_not_ready_says_why(tmp_path: Path, models: Path) -> None:
    with serving(tmp_path, models, DISYRE_MIN_FREE_BYTES=str(10**18)) as serve:
        assert serve.process.stderr is not None

        lines = iter(serve.process.stderr.readline, "")

        assert any("the disk has less room than DISYRE_MIN_FREE_BYTES" in line for line in lines)
        assert serve.stop() == 0


def test_a_provider_that_is_not_installed_is_told_in_one_line_that_says_how_to_have_it(
    tmp_path: Path, models: Path
) -> None:
    with serving(tmp_path, models, DISYRE_PROVIDER="cuda") as serve:
        out, err = serve.process.communicate(timeout=60)

    assert (serve.process.returncode, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(
        "disyre: the worker did not start: CUDAExecutionProvider is not in this ONNX Runtime"
    )
    assert "DISYRE_PROVIDER=cuda scripts/run gpu disyre serve" in err


def test_a_worker_that_does_not_start_is_shown(tmp_path: Path) -> None:
    package = make_toy_model(tmp_path / "models")
    (package.folder / NETWORK_FILE).write_bytes(b"damaged")
    with serving(tmp_path / "data", tmp_path / "models") as serve:
        out, err = serve.process.communicate(timeout=60)

    assert (serve.process.returncode, out) == (1, "")
    assert "is not the network of its manifest" in err


def test_ctrl_c_leaves_no_process_and_the_next_start_finishes_the_job(tmp_path: Path, models: Path) -> None:
    data_dir = tmp_path / ("a folder with a long name " * 4).strip()  # too long for a socket
    with serving(data_dir, models) as first:
        line = first.wait_until_ready()
        assert line.startswith("disyre is ready: curl ")
        assert f"http://127.0.0.1:{first.port}/v1/jobs" in line
        job_id = first.submit(SLOW_MODEL)
        first.wait_until_restoring(job_id)
        processes = first.processes()

        assert first.stop() == 0

        assert len(processes) >= 4
        assert [process for process in processes if process.is_alive()] == []
        assert first.process.stdout is not None
        assert first.process.stdout.read().splitlines() == [
            "disyre: stopping… 1 unfinished job is kept, and done after the next start",
            "disyre: stopped",
        ]
        assert first.odd_lines() == []
        assert [path.name for path in (data_dir / "jobs" / job_id).iterdir()] == ["input"]

    with serving(data_dir, models) as second:
        second.wait_until_ready()
        second.assert_one_whole_result(second.wait_until_finished(job_id))
        assert second.stop(signal.SIGTERM) == 0
        assert second.process.stdout is not None
        assert second.process.stdout.read() == "disyre: stopping…\ndisyre: stopped\n"


def test_an_upload_that_is_under_way_when_the_stack_stops_is_told_so(tmp_path: Path, models: Path) -> None:
    first_part_sent = threading.Event()

    def trickle() -> Iterator[bytes]:
        scan = scan_bytes()
        for begin in range(0, len(scan), 100):
            yield scan[begin : begin + 100]
            first_part_sent.set()
            time.sleep(0.1)

    with serving(tmp_path, models) as serve, ThreadPoolExecutor(1) as clients:
        serve.wait_until_ready()
        upload = clients.submit(serve.post, "/v1/jobs", content=trickle())
        first_part_sent.wait()
        wait_for(lambda: list((tmp_path / "incoming").iterdir()), "the upload has begun")

        assert serve.stop(signal.SIGTERM) == 0

        answer = upload.result()
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["X-Request-ID"]
        assert serve.odd_lines() == []


def test_a_stack_that_is_killed_leaves_no_process(tmp_path: Path, models: Path) -> None:
    with serving(tmp_path / "data", models) as serve:
        serve.wait_until_ready()
        processes = serve.processes()

        serve.process.kill()
        serve.process.wait()

        assert len(processes) >= 4
        wait_for(lambda: not any(process.is_alive() for process in processes), "all processes are gone")
