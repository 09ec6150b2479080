"""Where a job's files are if programs share a bucket and no folder.

jobs/<id>/input.tar           uploaded files, under neutral names: one object, so there whole or not at all
jobs/<id>/attempt-<n>/<name>  results of an attempt: nobody looks before a record says that they are there
store-mark.json               what tells whose records these files belong to

On the disk of each machine, and never of use to another:

incoming/<random>/            an upload that is not a job yet
scratch/<random>/             an upload on its way to the bucket; an attempt's input and results
cache/<id>/attempt-<n>/       results that were asked for a while ago
"""

import errno
import hashlib
import os
import shutil
import tarfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final

from disyre.adapters.belonging import Belonging, Records
from disyre.adapters.bucket import Bucket
from disyre.adapters.free_room import FreeRoom
from disyre.adapters.spool import Spool, age_s
from disyre.documents import read_document
from disyre.errors import ArtifactNotFound, ArtifactsAway, DamagedArtifact, StorageFull, Unavailable
from disyre.job_id import is_job_id
from disyre.job_input import InputFile, JobInput
from disyre.progress import OnStep, go_on
from disyre.single_flight import SingleFlight
from disyre.store_mark import StoreMark
from disyre.upload_parts import WHOLE, Parts

_AT_ONCE: Final = 8
"""Requests for one upload, or one attempt, that are under way together."""
_BUCKET: Final = "the bucket that scans and results are kept in"
_MARK: Final = "store-mark.json"
_INPUT: Final = "input.tar"
_CHUNK_BYTES: Final = 2**20
_CACHED_S: Final = 600.0
"""A result that nobody has asked for in so long is removed from this machine's disk."""
_LOOK_EVERY_S: Final = 5.0
"""How long it is believed that the bucket is there, or is not."""


class BucketArtifactStore:
    """Artifacts in a bucket that the API and the workers share; files under way are on each one's own disk.

    What asks the bucket raises ArtifactsAway or ArtifactsRefused.
    """

    def __init__(self, bucket: Bucket, root: Path, *, records: Records | None = None) -> None:
        """`records` have the mark that the bucket has."""
        self._bucket = bucket
        self._belonging = Belonging(_BUCKET, records, missing="is empty, or another one: its mark is missing")
        self._checked_at_s = float("-inf")
        self._root = root
        self._spool = Spool(root / "incoming")
        self._scratch = Spool(root / "scratch")
        self._cache = root / "cache"
        self._inputs: dict[str, Path] = {}
        """Of attempts under way in this process."""
        self._fetches = SingleFlight[Path]()
        self._was_away_at_s = float("-inf")
        self._looked_at_s = float("-inf")
        self._is_there = False

    def prepare(self) -> None:
        """Make the folders, readable to this user alone."""
        self._spool.prepare()
        self._scratch.prepare()
        self._cache.mkdir(exist_ok=True, mode=0o700)

    def free_room(self) -> FreeRoom:
        """What is left on this machine; nobody knows how much there is in a bucket."""
        return FreeRoom.of(self._root)

    def check_folder(self) -> None:
        """Nothing to raise: nothing that lasts is in a folder."""

    def is_reachable(self) -> bool:
        """Whether the bucket is there, as of a few seconds ago."""
        if time.monotonic() - self._looked_at_s >= _LOOK_EVERY_S:
            try:
                self._bucket.check()
                self._check()
                self._is_there = True
            except Unavailable:
                self._is_there = False
            self._looked_at_s = time.monotonic()
        return self._is_there

    def incoming(self) -> AbstractContextManager[Path]:
        """A folder for an upload; gone at the end, accepted or not."""
        return self._spool.folder()

    def accept(self, incoming: Path, *job_ids: str, only: Parts = WHOLE) -> None:
        """Make an upload the input of some jobs: of all, or, if something fails, of none.

        It crosses the network once, and so does each part that `only` has; the bucket copies them for the
        other jobs that get the same. Raises StorageFull if the disk is, or the bucket.
        """
        self._check_now_and_then()
        keys_of: dict[frozenset[str] | None, list[str]] = {}
        for job_id in job_ids:
            keys_of.setdefault(only.get(job_id), []).append(_key(job_id, _INPUT))
        try:
            for names, keys in keys_of.items():
                self._put_input(incoming, names, keys)
        except ArtifactsAway:
            raise  # whoever waits is told at once; what was put has no record, and will be removed as such
        except BaseException:
            for key in (key for keys in keys_of.values() for key in keys):
                with suppress(Unavailable):
                    self._bucket.remove(key)
            raise

    def _put_input(self, incoming: Path, names: frozenset[str] | None, keys: Sequence[str]) -> None:
        """Put some files of an upload, or all, in the place of each key."""
        first, *others = keys
        with self._scratch.folder() as folder, _on_this_disk():
            packed = folder / _INPUT
            _pack(incoming, packed, names)
            self._bucket.put(first, packed)
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as threads:
            list(threads.map(lambda key: self._bucket.copy(first, key), others))

    def has_input(self, job_id: str, given: JobInput) -> bool:
        """Whether a job could be run again."""
        is_there = self._bucket.has(_key(job_id, _INPUT))
        if not is_there:
            self._check()
        return is_there

    def fetch(self, job_id: str, given: JobInput, *, on_step: OnStep = go_on) -> None:
        """Have the input of a job under way at hand, and every byte of it as it was uploaded.

        Raises ArtifactNotFound if it is gone, or DamagedArtifact.
        """
        folder = self._inputs[job_id]
        packed = folder.parent / _INPUT
        try:
            self._bucket.get(_key(job_id, _INPUT), packed, on_step=on_step)
        except ArtifactNotFound as error:
            self._check()
            raise ArtifactNotFound.of_scan() from error
        _unpack(packed, folder, given, on_step)
        packed.unlink()

    def input_file(self, job_id: str, name: str) -> Path:
        """A file that was fetched. Raises ArtifactNotFound."""
        path = self._inputs.get(job_id, self._root) / name
        if not path.is_file():
            raise ArtifactNotFound.of_scan()
        return path

    @contextmanager
    def attempt(self, job_id: str, attempt: int, *, on_step: OnStep = go_on) -> Iterator[Path]:
        """A folder for the results of an attempt; they are put when the block ends without an error.

        `on_step` is called from several threads; what was put before it raised stays, for `keep_only`. Raises
        ArtifactNotFound in the end if the job was deleted, or has succeeded in another attempt, and then
        leaves nothing of this one.
        """
        self._scratch.sweep(older_than_s=86400.0)  # of workers that were killed on this machine
        with self._scratch.folder() as folder:
            results, self._inputs[job_id] = folder / "results", folder / "input"
            for made in (results, self._inputs[job_id]):
                made.mkdir(mode=0o700)
            try:
                yield results
                self._put_results(job_id, attempt, results, on_step)
            finally:
                del self._inputs[job_id]

    def _put_results(self, job_id: str, attempt: int, folder: Path, on_step: OnStep) -> None:
        def put(file: Path) -> None:
            self._bucket.put(_key(job_id, f"attempt-{attempt}/{file.name}"), file, on_step=on_step)

        with ThreadPoolExecutor(max_workers=_AT_ONCE) as threads:
            list(threads.map(put, folder.iterdir()))
        if not self._bucket.has(_key(job_id, _INPUT)):
            self._check()
            for key in self._bucket.keys(_key(job_id, f"attempt-{attempt}/")):
                self._bucket.remove(key)
            raise ArtifactNotFound.of_scan()

    def result_file(self, job_id: str, attempt: int, name: str) -> Path:
        """A file that an attempt gave: a copy, whole and checked, that stays for some minutes.

        Fetched once, however many ask meanwhile; where the bucket did not answer, those who ask
        in the next seconds look first whether it is there. Raises ArtifactNotFound, DamagedArtifact,
        or StorageFull if this machine's disk is.
        """
        cached = self._cache / job_id / f"attempt-{attempt}" / name
        with suppress(FileNotFoundError):
            os.utime(cached)
            return cached
        key = _key(job_id, f"attempt-{attempt}/{name}")
        return self._fetches.do(key, lambda: self._fetch_result(job_id, key, cached))

    def _fetch_result(self, job_id: str, key: str, cached: Path) -> Path:
        name = cached.name
        with self._scratch.folder() as folder, _on_this_disk():
            try:
                self._get(key, folder / name)
                cached.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                (folder / name).rename(cached)
            except (ArtifactNotFound, FileNotFoundError) as error:
                self._check()
                raise ArtifactNotFound.of_result() from error
        self._check_still(job_id, key)
        return cached

    def _get(self, key: str, path: Path) -> None:
        try:
            if time.monotonic() - self._was_away_at_s < _LOOK_EVERY_S:
                self._bucket.check()  # without patience
            self._bucket.get(key, path)
        except ArtifactsAway:
            self._was_away_at_s = time.monotonic()
            raise

    def _check_still(self, job_id: str, key: str) -> None:
        """Keep copies of a job's results only if it was not removed while they were fetched.

        Who removes it looks for copies last, so that either this finds the object gone, or that the copy.
        """
        is_there = False
        try:
            is_there = self._bucket.has(key)
        finally:
            if not is_there:
                self._forget(job_id)
        if not is_there:
            raise ArtifactNotFound.of_result()

    def _forget(self, job_id: str) -> None:
        """Remove the copies on this machine."""
        shutil.rmtree(self._cache / job_id, ignore_errors=True)

    def keep_only(self, job_id: str, attempt: int | None) -> None:
        """Remove what other attempts have left; what all have, if it is None."""
        kept = _key(job_id, f"attempt-{attempt}/")
        for key in self._bucket.keys(_key(job_id, "attempt-")):
            if not key.startswith(kept):
                self._bucket.remove(key)

    def remove_input(self, job_id: str) -> None:
        """Remove what was uploaded for a job."""
        self._bucket.remove(_key(job_id, _INPUT))

    def ids_with_input(self) -> set[str]:
        """Ids of all jobs of which the upload is here."""
        found = {key.split("/")[-2] for key in self._bucket.keys("jobs/") if key.endswith(f"/{_INPUT}")}
        return {job_id for job_id in found if is_job_id(job_id)}

    def remove(self, job_id: str) -> None:
        """Remove all files of a job. Removing them twice does no harm."""
        try:
            keys = self._bucket.keys(_key(job_id, ""))
            if not keys:
                self._check()
            for key in keys:
                self._bucket.remove(key)
        finally:
            self._forget(job_id)

    def job_ids(self) -> set[str]:
        """Ids of all jobs that have files."""
        return {name for name in self._bucket.folders("jobs/") if is_job_id(name)}

    def mark(self) -> StoreMark | None:
        """What the records of these jobs carry too; None if there is nothing that can be read as that."""
        return self._check()

    def set_mark(self, mark: StoreMark) -> None:
        """From now on, the files belong to the records that carry this; another bucket does not get it."""
        self._check()
        self._bucket.write(_MARK, mark.model_dump_json().encode())
        self._belonging.note(mark)

    def _check(self) -> StoreMark | None:
        """The mark. Raises ArtifactsAway if this is not the bucket of the records."""
        mark, is_file = None, True
        try:
            mark = read_document(StoreMark, self._bucket.read(_MARK).decode())
        except ArtifactNotFound:
            is_file = False
        except ValueError:
            pass
        self._belonging.check(mark, is_file=is_file, here=self.job_ids)
        return mark

    def _check_now_and_then(self) -> None:
        """Check, but not again within some seconds."""
        if time.monotonic() - self._checked_at_s >= _LOOK_EVERY_S:
            self._check()
            self._checked_at_s = time.monotonic()

    def sweep(self, *, older_than_s: float) -> list[str]:
        """Remove what processes that are gone have left on this machine; returns its names.

        Where the file system locks no folders, what was untouched for `older_than_s` goes. Copies of results
        that nobody asked for lately go too.
        """
        for folder in self._cache.iterdir():
            if all(age_s(file) > _CACHED_S for file in (folder, *folder.rglob("*"))):
                shutil.rmtree(folder, ignore_errors=True)
        spools = (self._spool, self._scratch)
        return [name for spool in spools for name in spool.sweep(older_than_s=older_than_s)]


def _key(job_id: str, name: str) -> str:
    return f"jobs/{job_id}/{name}"


@contextmanager
def _on_this_disk() -> Iterator[None]:
    """Raise StorageFull if the disk is."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("the disk ran full as files were packed for the bucket, or fetched") from error
        raise


def _pack(folder: Path, packed: Path, names: frozenset[str] | None) -> None:
    """Write the files of a folder, or some, into an archive that holds their names and bytes, and no more."""
    paths = folder.iterdir() if names is None else (folder / name for name in names)
    with tarfile.open(packed, "w") as archive:
        for path in sorted(paths):
            facts = tarfile.TarInfo(path.name)
            facts.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(facts, file)


def _unpack(packed: Path, folder: Path, given: JobInput, on_step: OnStep) -> None:
    """Write the files that a job knows into a folder. Raises DamagedArtifact if they are not those."""
    try:
        with tarfile.open(packed, "r:") as archive:
            members = {member.name: member for member in archive}
            for file in given.all_files:
                on_step()
                _unpack_one(archive, members[file.name], file, folder / file.name)
    except (tarfile.TarError, KeyError) as error:
        raise DamagedArtifact("expected the files of the job in the bucket, got others") from error


def _unpack_one(archive: tarfile.TarFile, member: tarfile.TarInfo, known: InputFile, path: Path) -> None:
    digest = hashlib.sha256()
    content = archive.extractfile(member)
    assert content is not None, "only plain files are packed"
    with content, path.open("wb") as file:
        while data := content.read(_CHUNK_BYTES):
            digest.update(data)
            file.write(data)
    if digest.hexdigest() != known.sha256:
        raise DamagedArtifact("expected the bytes that were uploaded, got others from the bucket")
