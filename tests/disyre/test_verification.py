"""Networks are compared with their manifests, and again when their files change."""

from pathlib import Path

import pytest

from disyre.errors import Misconfigured
from disyre.model_package import NETWORK_FILE
from disyre.verification import Verification
from tests.toy_model import make_toy_model


def test_a_network_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    package, verify = make_toy_model(tmp_path), Verification()
    path = package.folder / NETWORK_FILE
    verify(package)
    verify(package)

    path.write_bytes(path.read_bytes()[::-1])

    with pytest.raises(Misconfigured, match="not the network of its manifest"):
        verify(package)
    path.unlink()
    with pytest.raises(Misconfigured, match="no network"):
        verify(package)
