"""Inference sessions: what each device is asked for with, and that it is had or refused."""

from pathlib import Path

import pytest

from disyre.errors import Misconfigured
from worker.onnx_session import CUDA_OPTIONS, PROVIDERS, TENSORRT_ENVIRONMENT, engine_folder, providers_for


def test_a_gpu_computes_as_exactly_as_a_cpu() -> None:
    (cuda,) = providers_for("cuda", cache=None)

    assert cuda[0] == PROVIDERS["cuda"]
    assert cuda[1]["use_tf32"] == 0


def test_a_scan_of_another_shape_does_not_wait_for_an_exhaustive_search() -> None:
    (_, options), *_ = providers_for("cuda", cache=None)

    assert options["cudnn_conv_algo_search"] == "HEURISTIC"


def test_what_tensorrt_does_not_know_runs_on_cuda(tmp_path: Path) -> None:
    names = [name for name, _ in providers_for("tensorrt", cache=tmp_path)]

    assert names == [PROVIDERS["tensorrt"], PROVIDERS["cuda"]]


def test_tensorrt_keeps_its_engines_where_it_is_told(tmp_path: Path) -> None:
    (_, options), _ = providers_for("tensorrt", cache=tmp_path)

    assert options["trt_engine_cache_path"] == str(tmp_path)


def test_tensorrt_computes_as_exactly_as_cuda(tmp_path: Path) -> None:
    _, (_, cuda) = providers_for("tensorrt", cache=tmp_path)

    assert cuda == CUDA_OPTIONS
    assert TENSORRT_ENVIRONMENT["NVIDIA_TF32_OVERRIDE"] == "0"


def test_a_network_is_never_given_the_engine_of_another(tmp_path: Path) -> None:
    cache = tmp_path / "engines"

    t1w, t2w, again = (engine_folder(cache, network) for network in (b"t1w", b"t2w", b"t1w"))

    assert t1w != t2w
    assert t1w == again
    assert t1w.is_dir()
    assert {t1w.parent, t2w.parent} == {cache}


def test_engines_that_cannot_be_kept_are_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "engines").write_bytes(b"")

    with pytest.raises(Misconfigured, match="cannot hold TensorRT's engines"):
        engine_folder(tmp_path / "engines", b"t1w")


def test_a_cpu_is_asked_for_with_nothing() -> None:
    assert providers_for("cpu", cache=None) == [(PROVIDERS["cpu"], {})]
