"""What the API and the worker must agree on. Read once in a composition root, then passed as plain values."""

from pathlib import Path

from pydantic import Field, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class SharedSettings(BaseSettings):
    """Settings of every program: environment variables `DISYRE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="DISYRE_", frozen=True, extra="ignore")

    broker_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """Redis or Valkey, as `redis://`, `rediss://` or `redis+socket://`."""
    broker_url_file: Path | None = None
    """A file that holds `broker_url`, such as a mounted secret."""
    data_dir: Path = Path("data")
    """Where uploads and results are; shared by the API and the workers."""
    models_dir: Path = Path("models")
    """Where the model packages are, as `<name>/<version>/`."""
    max_voxels: PositiveInt = 2**26
    """Larger scans are refused, be it on their own grid or on the model's; scoring takes 55 bytes a voxel."""
    job_time_limit_s: PositiveInt = 1800
    """A job that runs longer is failed."""
    lease_s: float = Field(default=15.0, gt=0)
    """A worker that is silent for this long has lost its job."""

    def broker(self) -> str:
        """The broker's address, from the file if there is one."""
        if self.broker_url_file is not None:
            return self.broker_url_file.read_text(encoding="utf-8").strip()
        return self.broker_url.get_secret_value()
