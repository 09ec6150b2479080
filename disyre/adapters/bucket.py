"""A bucket with an S3 API: objects are put and fetched whole, are checked, and fail in our words."""

import gzip
import hashlib
import io
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointProviderError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session

from disyre.errors import (
    ArtifactNotFound,
    ArtifactsAway,
    ArtifactsRefused,
    DamagedArtifact,
    DisyreError,
    Misconfigured,
    StorageFull,
)
from disyre.progress import OnStep, go_on

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CHUNK_BYTES: Final = 2**20
_CONNECT_S: Final = 3.0
_LOOK_S: Final = 2.0
"""So long a bucket may take to say that it is there."""
_CONNECTIONS: Final = 16
_WAIT_S: Final = 2.0
"""Between two attempts of who is patient."""
_ASKED: Final = 8
"""So often, meanwhile, it is asked whether to go on."""
_SHA256: Final = "sha256"
"""The name under which an object carries the digest of its content."""
_FULL: Final = frozenset({"QuotaExceeded", "StorageFull", "XMinioStorageFull", "InsufficientStorage"})
_BUSY: Final = frozenset({"SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "OperationAborted"})


class Bucket:
    """The objects below a prefix of a bucket.

    All raise ArtifactsAway if the bucket does not answer, and ArtifactsRefused if it refuses to: at once, or
    after `patience_s` of trying.
    """

    def __init__(
        self,
        client: Any,
        probe: Any,
        name: str,
        prefix: str,
        *,
        patience_s: float,
        sleep: Callable[[float], None],
    ) -> None:
        """Two clients of botocore: one that does the work, and one that waits for no answer for long."""
        self._client = client
        self._probe = probe
        self._name = name
        self._prefix = prefix
        self._patience_s = patience_s
        self._sleep = sleep

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        endpoint: str | None,
        region: str,
        key: tuple[str, str] | None,
        timeout_s: float,
        patience_s: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Self:
        """The bucket at `s3://<bucket>/<prefix>`; asks it nothing yet. Raises Misconfigured.

        `key` is the id of a key and its secret; without it, botocore finds what the machine has.
        """
        name, prefix = _read_url(url)

        def client(config: Config) -> Any:
            key_id, secret = key or (None, None)
            made = _session().create_client(
                "s3",
                region_name=region,
                endpoint_url=endpoint,
                aws_access_key_id=key_id,
                aws_secret_access_key=secret,
                config=config,
            )
            made.meta.events.register("before-call.s3.HeadBucket", _follow_no_redirect)
            return made

        common = {
            "connect_timeout": _CONNECT_S,
            "max_pool_connections": _CONNECTIONS,
            # The SHA-256 of each body is signed, so the bucket checks it; not all know the newer checksums.
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            "s3": {
                "addressing_style": "path" if endpoint else "auto",
                "payload_signing_enabled": True,
            },
        }
        work = Config(read_timeout=timeout_s, retries={"mode": "standard", "total_max_attempts": 2}, **common)
        look = Config(read_timeout=_LOOK_S, retries={"mode": "standard", "total_max_attempts": 1}, **common)
        try:
            return cls(client(work), client(look), name, prefix, patience_s=patience_s, sleep=sleep)
        except (BotoCoreError, ValueError) as error:
            raise Misconfigured(f"expected the address of a bucket, got another: {error}") from error

    def check(self) -> None:
        """See whether the bucket is there and lets itself be listed, without patience."""
        try:
            with _translated():
                self._probe.list_objects_v2(Bucket=self._name, Prefix=self._prefix, MaxKeys=1)
        except ArtifactNotFound as error:
            raise ArtifactsRefused("expected a bucket at this address, found something else") from error

    def put(self, key: str, path: Path, *, on_step: OnStep = go_on) -> None:
        """Put a file: when this returns, the object is there, whole and durable; before, it is not at all.

        `on_step` is called before each part of it, and while the bucket is waited for; to stop, let it raise,
        and again when it is asked again: the library tries twice. Raises StorageFull.
        """
        digest = _sha256(path)

        def put() -> None:
            with _WatchedFile(path, on_step) as body:
                self._client.put_object(**self._object(key), Body=body, Metadata={_SHA256: digest})

        self._patiently(put, on_step)

    def write(self, key: str, content: bytes) -> None:
        """Put a short content. Raises StorageFull."""
        self._patiently(lambda: self._client.put_object(**self._object(key), Body=content))

    def copy(self, source: str, key: str) -> None:
        """Have the bucket copy an object. Raises ArtifactNotFound or StorageFull."""
        self._patiently(
            lambda: self._client.copy_object(**self._object(key), CopySource=self._object(source))
        )

    def get(self, key: str, path: Path, *, on_step: OnStep = go_on) -> None:
        """Fetch an object into a file. Raises ArtifactNotFound, or DamagedArtifact if it is not what was put.

        `on_step` is called after each MiB, and while the bucket is waited for; to stop, let it raise.
        """

        def get() -> None:
            answer = self._client.get_object(**self._object(key))
            digest = hashlib.sha256()
            with closing(answer["Body"]) as body, path.open("wb") as file:
                for data in body.iter_chunks(_CHUNK_BYTES):
                    digest.update(data)
                    file.write(data)
                    on_step()
            if digest.hexdigest() != answer["Metadata"].get(_SHA256):
                raise DamagedArtifact("expected the bytes that were put into the bucket, got others")

        self._patiently(get, on_step)

    def read(self, key: str) -> bytes:
        """A short content. Raises ArtifactNotFound."""

        def read() -> bytes:
            with closing(self._client.get_object(**self._object(key))["Body"]) as body:
                content: bytes = body.read()
            return content

        return self._patiently(read)

    def has(self, key: str) -> bool:
        """Whether there is an object."""
        try:
            self._patiently(lambda: self._client.head_object(**self._object(key)))
        except ArtifactNotFound:
            return False
        return True

    def keys(self, below: str) -> list[str]:
        """The keys that begin so."""
        pages = self._pages(below)
        return [each["Key"].removeprefix(self._prefix) for page in pages for each in page.get("Contents", ())]

    def folders(self, below: str) -> set[str]:
        """What follows this in the keys that begin so, up to the next slash."""
        pages = self._pages(below, Delimiter="/")
        found = (each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ()))
        return {name.removeprefix(self._prefix + below).rstrip("/") for name in found}

    def remove(self, key: str) -> None:
        """Remove an object. Removing it twice does no harm."""
        self._patiently(lambda: self._client.delete_object(**self._object(key)))

    def _pages(self, below: str, **options: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_objects_v2")
        wanted = {"Bucket": self._name, "Prefix": self._prefix + below, **options}
        return self._patiently(lambda: list(pages.paginate(**wanted)))

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._name, "Key": self._prefix + key}

    def _patiently(self, work: Callable[[], T], on_step: OnStep = go_on) -> T:
        """Do it, and again for as long as there is patience."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                with _translated():
                    return work()
            except ArtifactsAway as error:
                if time.monotonic() >= deadline:
                    raise
                logger.warning("%s: trying again in %g s", error, _WAIT_S)
            for _ in range(_ASKED):
                on_step()
                self._sleep(_WAIT_S / _ASKED)


class _WatchedFile(io.FileIO):
    """A file that is read for as long as that is wanted."""

    def __init__(self, path: Path, on_step: OnStep) -> None:
        super().__init__(path)
        self._on_step = on_step

    def read(self, size: int | None = -1, /) -> bytes:
        self._on_step()
        return super().read(size) or b""


class _WithoutWords(JSONFileLoader):  # type: ignore[misc]  # botocore states no types
    """Reads how the API looks as plain dictionaries and without its documentation: 5 MB instead of 11."""

    def load_file(self, file_path: str) -> Any:
        """What a file holds, as the class it comes from does it; None if there is no such file."""
        for ending, opened in ((".json", open), (".json.gz", gzip.open)):
            with suppress(FileNotFoundError), opened(f"{file_path}{ending}", "rb") as file:
                return json.load(file, object_pairs_hook=_without_words)
        return None


def _without_words(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: "" if name == "documentation" and isinstance(each, str) else each for name, each in pairs}


@cache
def _session() -> Session:
    """One for the process: it keeps what it has read of how the API looks."""
    session = Session()
    session.register_component("data_loader", Loader(file_loader=_WithoutWords()))
    return session


def _follow_no_redirect(params: dict[str, Any], **_: object) -> None:
    """Ask for a bucket's region once: botocore does so where it is redirected, and again if that is, too."""
    params["context"]["s3_redirect"]["redirected"] = True


def _read_url(url: str) -> tuple[str, str]:
    """The bucket's name, and a prefix that is empty or ends with a slash. Raises Misconfigured."""
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
        raise Misconfigured("expected DISYRE_ARTIFACTS_URL to be s3://<bucket>/<prefix>, got another address")
    prefix = parts.path.strip("/")
    return parts.netloc, f"{prefix}/" if prefix else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of the library as ours; what it has to say, which may be an address, is their cause alone."""
    try:
        yield
    except ClientError as error:
        raise _of_answer(error) from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise ArtifactsRefused(
            "expected a key of the bucket that results are kept in, from DISYRE_ARTIFACTS_KEY_ID, AWS_ "
            "variables or the machine's role, got none"
        ) from error
    except (ParamValidationError, EndpointProviderError) as error:  # nobody was asked
        raise ArtifactsRefused("expected the name of a bucket, got one that no bucket can have") from error
    except BotoCoreError as error:
        raise ArtifactsAway("the bucket that scans and results are kept in does not answer") from error


def _of_answer(error: ClientError) -> DisyreError:
    """What a bucket that does answer means by it."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status == 507 or code in _FULL:
        return StorageFull("the bucket that scans and results are kept in is full")
    if status >= 500 or status == 429 or code in _BUSY:
        return ArtifactsAway("the bucket that scans and results are kept in is too busy, or out of order")
    if status == 404 and code != "NoSuchBucket":
        return ArtifactNotFound("the bucket has no such object")
    logger.error("the bucket refuses what this program asks of it: %s, status %d", code, status)
    reason = f"{code}, status {status}" if code.isalnum() and not code.isdigit() else f"status {status}"
    return ArtifactsRefused(f"the bucket that scans and results are kept in refuses this service ({reason})")
