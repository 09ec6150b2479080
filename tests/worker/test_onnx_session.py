"""Inference sessions: what each device is asked for with, and that it is had or refused."""

from pathlib import Path

from worker.onnx_session import PROVIDERS, providers_for


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


def test_a_cpu_is_asked_for_with_nothing() -> None:
    assert providers_for("cpu", cache=None) == [(PROVIDERS["cpu"], {})]
