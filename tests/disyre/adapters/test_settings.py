"""The settings that the API and the workers share."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from disyre.adapters.settings import SharedSettings

SECRET = "redis://:hunter2@broker:6379/0"


def test_the_brokers_address_may_come_from_a_mounted_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8")

    settings = SharedSettings(broker_url_file=tmp_path / "secret")

    assert settings.broker() == SECRET


def test_the_brokers_password_is_not_printed() -> None:
    settings = SharedSettings.model_validate({"broker_url": SECRET})

    assert settings.broker() == SECRET
    assert "hunter2" not in repr(settings)


def test_a_lease_takes_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISYRE_LEASE_S", "0")

    with pytest.raises(ValidationError, match="lease_s"):
        SharedSettings()
