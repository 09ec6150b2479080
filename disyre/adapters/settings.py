"""What the API and the worker must agree on. Read once in a composition root, then passed as plain values."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from disyre.errors import Misconfigured
from disyre.field_words import in_words
from disyre.nearest import nearest

EX_CONFIG: Final = 78
"""Exit status of a program that cannot start as it was told to."""

_PREFIX: Final = "DISYRE_"
_BROKER_SCHEMES: Final = ("redis://", "rediss://", "redis+socket://")
_OF_ONE_PROGRAM: Final = (
    # the API
    *("MAX_UPLOAD_BYTES", "MAX_FILES", "UPLOAD_TIMEOUT_S", "MAX_QUEUED_JOBS", "MIN_FREE_BYTES"),
    "MAX_QUEUED_VOXELS",
    *("REAP_INTERVAL_S", "LISTEN_HOST", "LISTEN_PORT", "STALL_TIMEOUT_S", "API_KEYS_FILE"),
    *("SEND_TIMEOUT_S", "ALLOWED_HOSTS"),
    *("MAX_CONNECTIONS", "MAX_SUBMITS_PER_MINUTE", "OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_KEYS_URL"),
    *("RETENTION_S", "TOMBSTONE_S"),
    *("WEBHOOK_HOSTS", "WEBHOOK_SECRET_FILE"),
    *("PACS_FILE", "EXPORT_TO"),
    *("STOW_RULES", "STOW_QUIET_S", "STOW_KEEP_S", "STOW_KEEP_REJECTED_S", "STOW_MAX_BYTES"),
    "STOW_MAX_INSTANCES",
    # the worker
    *("PROVIDER", "THREADS", "BATCH_SIZE", "DEFAULT_MODEL", "MODELS", "MAX_MODELS"),
    # the composition
    *("BIND", "PORT", "WORKER_MEMORY", "RULES_FILE"),
    # the receiver
    *("RECEIVER_RULES", "RECEIVER_AE_TITLE", "RECEIVER_HOST", "RECEIVER_PORT", "RECEIVER_CALLERS"),
    *("RECEIVER_TLS_CERT_FILE", "RECEIVER_TLS_KEY_FILE", "RECEIVER_TLS_CA_FILE"),
    *("RECEIVER_SPOOL", "RECEIVER_QUIET_S", "RECEIVER_KEEP_S", "RECEIVER_KEEP_REJECTED_S"),
    *("RECEIVER_MAX_BYTES", "RECEIVER_MAX_INSTANCE_BYTES", "RECEIVER_MAX_INSTANCES"),
    "RECEIVER_MAX_ASSOCIATIONS",
    # the command, and the receiver
    *("URL", "KEY_FILE"),
    # the tests
    "TEST_DATA",
)
"""Settings that only one program reads. The others have to know the names: all may share an environment."""


_MODELS: Final = Path("models")
"""The folder of models in the current one, or beside disyre."""
_BESIDE: Final = Path(__file__).resolve().parents[2]
"""Where the packages of this project are: in a checkout, its root."""


def find_models(beside: Path = _BESIDE) -> Path:
    """The folder of models that counts if none is set: in the current folder, or else beside disyre."""
    found = (folder for folder in (_MODELS, own_models(beside)) if any(folder.glob("*/*/model.json")))
    return next(found, _MODELS)


def own_models(beside: Path = _BESIDE) -> Path:
    """The folder of models beside disyre: in a checkout, of those that ship."""
    return beside / _MODELS


class SharedSettings(BaseSettings):
    """Settings of every program: environment variables `DISYRE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore")

    broker_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """Redis or Valkey, as `redis://`, `rediss://` or `redis+socket://`."""
    broker_url_file: Path | None = None
    """A file that holds `broker_url`, such as a mounted secret."""
    data_dir: Path = Path("data")
    """Where uploads and results are; shared by the API and the workers, unless they share a bucket."""
    artifacts_url: str | None = None
    """A bucket for uploads and results, as `s3://<bucket>/<prefix>`; None keeps them in `data_dir`."""
    artifacts_endpoint: str | None = None
    """Where the bucket's S3 API is, as `https://<host>`; None is Amazon's."""
    artifacts_region: str = "us-east-1"
    """The bucket's region."""
    artifacts_key_id: str | None = None
    """The key for the bucket; without it, the key counts that AWS_ variables or the machine's cloud give."""
    artifacts_secret_key_file: Path | None = None
    """A file that holds the secret of that key."""
    models_dir: Path = Field(default_factory=find_models)
    """Where the model packages are, as `<name>/<version>/`."""
    max_voxels: PositiveInt = 90_000_000
    """Larger scans are refused, be it on their own grid or on the model's; scoring takes 55 bytes a voxel."""
    job_time_limit_s: PositiveInt = 1800
    """A job that runs longer is failed."""
    lease_s: float = Field(default=15.0, gt=0)
    """A worker that is silent for this long has lost its job."""
    max_standstill_s: PositiveFloat = 60.0
    """A queue from which nobody has taken a job for so long, though a worker has none, is out of order; such
    a worker ends."""
    shutdown_grace_s: float = Field(default=20.0, ge=0)
    """A job or an upload under way when the program is told to stop may go on for this long."""

    def shown(self) -> str:
        """All settings, for the log; those that are secret as asterisks."""
        return ", ".join(f"{name}={value}" for name, value in self)

    def broker(self) -> str:
        """The broker's address, from the file if there is one. Raises Misconfigured."""
        url = self.broker_url.get_secret_value()
        if self.broker_url_file is not None:
            url = _read_secret(self.broker_url_file, "BROKER_URL_FILE")
        if not url.startswith(_BROKER_SCHEMES):
            raise Misconfigured(
                f"expected a broker at one of {', '.join(_BROKER_SCHEMES)}, got another address"
            )
        return url

    def artifacts_key(self) -> tuple[str, str] | None:
        """Id and secret of the key for the bucket; None if it is not given here. Raises Misconfigured."""
        key_id, file = self.artifacts_key_id, self.artifacts_secret_key_file
        if key_id is None and file is None:
            return None
        if key_id is None or file is None:
            raise Misconfigured(
                f"expected {_PREFIX}ARTIFACTS_KEY_ID and {_PREFIX}ARTIFACTS_SECRET_KEY_FILE together, got one"
            )
        return key_id, _read_secret(file, "ARTIFACTS_SECRET_KEY_FILE")


def _read_secret(path: Path, setting: str) -> str:
    """What a mounted secret holds. Raises Misconfigured."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Misconfigured(f"{_PREFIX}{setting} cannot be read: {error.strerror}") from error


S = TypeVar("S", bound=SharedSettings)

KNOWN_VARIABLES: Final = frozenset(
    _PREFIX + name for name in (*map(str.upper, SharedSettings.model_fields), *_OF_ONE_PROGRAM)
)
"""Every environment variable that a program of ours reads."""


def read_settings(kind: type[S]) -> S:
    """The settings of a program, from the environment.

    Raises Misconfigured if one is misspelt or wrong; of values, which may be secret, it repeats only numbers.
    """
    given = sorted(name for name in os.environ if name.upper().startswith(_PREFIX))
    unknown = [name for name in given if name.upper() not in KNOWN_VARIABLES]
    if unknown:
        raise Misconfigured("; ".join(map(_explain_unknown, unknown)))
    try:
        return kind()
    except ValidationError as error:
        wrong = map(_explain_wrong, error.errors(include_url=False))
        raise Misconfigured("; ".join(wrong)) from None  # the cause holds the values


def refuse_to_start(program: str, reason: Misconfigured) -> NoReturn:
    """End a program with EX_CONFIG, and with one line that says why."""
    sys.stderr.write(f"disyre {program}: cannot start: {' '.join(str(reason).split())}\n")
    sys.exit(EX_CONFIG)


def _explain_wrong(error: Mapping[str, Any]) -> str:
    if not error["loc"]:  # each by itself is right, but not all together
        return f"wrong settings: {in_words(error)}"
    return f"wrong setting {_PREFIX}{str(error['loc'][0]).upper()}: {in_words(error)}"


def _explain_unknown(name: str) -> str:
    rests = [known.removeprefix(_PREFIX) for known in KNOWN_VARIABLES]
    meant = nearest(name.upper().removeprefix(_PREFIX), rests)  # the prefix would make all of them alike
    return f"unknown setting {name}" + (f"; the nearest known one is {_PREFIX}{meant}" if meant else "")
