"""The error tree, grouped by who has to act. Codes are part of the API: kebab-case and stable."""

from collections.abc import Sequence
from typing import ClassVar, Self

from disyre.candidate import Candidate


class DisyreError(Exception):
    """Base of every error raised on purpose; `code` is stable and goes to callers and logs.

    The message says what was expected and what came. It never holds a file name or patient data,
    because it is shown to callers.
    """

    code: ClassVar[str] = "internal"


class InvalidInput(DisyreError):
    """The caller has to act: the same request will fail again."""

    code = "invalid-input"

    def __init__(self, message: str, candidates: Sequence[Candidate] = ()) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)
        """What was found, if that was looked into."""


class Misconfigured(DisyreError):
    """The operator has to act: a model package, a device or a setting is wrong."""

    code = "misconfigured"


class Unavailable(DisyreError):
    """Nobody has to act: a dependency is away for now, and a retry may succeed."""

    code = "unavailable"


class Undecided(Unavailable):
    """A dependency got an order and has not answered: it may have carried it out, or may not."""


class ArtifactsAway(Unavailable):
    """What scans and results are kept in does not answer."""

    code = "artifacts-unavailable"


class ArtifactsRefused(ArtifactsAway):
    """It does answer, and says no: until the operator acts."""


class DamagedArtifact(Unavailable):
    """A stored file is not what was stored."""

    code = "artifact-damaged"


class EmptyUpload(InvalidInput):
    """There is no file, or a file without a byte."""

    code = "empty-upload"


class NotAnImage(InvalidInput):
    """The bytes are of no format that is read here."""

    code = "not-an-image"


class UnreadableVolume(InvalidInput):
    """The format is known but the file is broken: truncated, or its header is wrong."""

    code = "unreadable-volume"


class UnusableVolume(InvalidInput):
    """The file is whole, but holds no single 3-D volume with usable values and geometry."""

    code = "unusable-volume"


class NotThreeDimensional(UnusableVolume):
    """The image has another number of axes than 3."""

    code = "not-3d"


class NonFiniteVoxels(UnusableVolume):
    """Too many voxels are NaN or infinite."""

    code = "non-finite-voxels"


class EmptyImage(UnusableVolume):
    """There is nothing to score: no voxel differs from the background."""

    code = "empty-image"


class UnsupportedGeometry(UnusableVolume):
    """The voxels do not lie on a grid that can be scored: singular affine, absurd spacing."""

    code = "unsupported-geometry"


class IrregularSlices(UnsupportedGeometry):
    """Slices are missing, doubled or unevenly spaced."""

    code = "irregular-slices"


class GantryTilt(UnsupportedGeometry):
    """The slices are sheared against each other."""

    code = "gantry-tilt"


class TooFewSlices(UnusableVolume):
    """There are not enough slices for a volume."""

    code = "too-few-slices"


class MultipleVolumes(UnusableVolume):
    """More than one volume was found where one is wanted."""

    code = "multiple-volumes"


class SeveralPatients(MultipleVolumes):
    """The images of more than one patient came together."""

    code = "several-patients"


class NothingToScore(UnusableVolume):
    """None of the series of a study can be scored."""

    code = "nothing-to-score"


class UnsupportedTransferSyntax(InvalidInput):
    """The pixel data are encoded in a way that is not read here."""

    code = "unsupported-transfer-syntax"


class NotBrainMr(UnusableVolume):
    """The scan is not a magnetic resonance image of a head."""

    code = "not-brain-mr"


class MaskMismatch(InvalidInput):
    """The brain mask does not lie on the grid of the scan, or is empty."""

    code = "mask-mismatch"


class UnusableArchive(InvalidInput):
    """The archive is broken, encrypted, or expands beyond its limits."""

    code = "unusable-archive"


class TooLarge(InvalidInput):
    """The input is above a size limit."""

    code = "too-large"


class InvalidParams(InvalidInput):
    """The options of the request are wrong."""

    code = "invalid-params"


class UnknownModel(InvalidInput):
    """No model package of this name and version is installed."""

    code = "unknown-model"


class NoModelForModality(InvalidInput):
    """The scan was recognised, and no model for its modality is installed."""

    code = "no-model-for-modality"


class JobNotFound(InvalidInput):
    """No job has this id."""

    code = "job-not-found"


class JobExpired(JobNotFound):
    """There was a job of this id, and its time is over."""

    code = "job-expired"

    def __init__(
        self,
        owner: str,
        message: str = "expected the id of a job, got one whose time is over: no more is told of it",
    ) -> None:
        super().__init__(message)
        self.owner = owner
        """Whose it was."""


class ArtifactNotFound(InvalidInput):
    """The job has no file of this name."""

    code = "artifact-not-found"

    @classmethod
    def of_scan(cls) -> Self:
        """That of a job whose upload is gone."""
        return cls("expected the scan that was uploaded for the job, and it is no longer stored")

    @classmethod
    def of_result(cls) -> Self:
        """That of a result that the record has, and nothing else."""
        return cls("expected a result that the job gave, and it is no longer stored")


class IllegalTransition(DisyreError):
    """The job is in a state in which this cannot be done."""

    code = "illegal-transition"


class StaleAttempt(IllegalTransition):
    """A newer attempt at the job has begun: what this one has to say comes too late."""

    code = "stale-attempt"


class StorageFull(Unavailable):
    """The disk is below its watermark."""

    code = "storage-full"


class QueueFull(Unavailable):
    """As many jobs wait as may wait."""

    code = "queue-full"


class NoWorker(Unavailable):
    """Workers are there, and none of them has the model."""

    code = "no-worker"


class DamagedModel(NoWorker):
    """Workers are there, and find the package of the model damaged, or not all of it."""

    code = "model-damaged"


class StillReceiving(Unavailable):
    """Another request with the same idempotency key is under way."""

    code = "still-receiving"


class OutOfMemory(DisyreError):
    """The scan needs more memory than the device has."""

    code = "out-of-memory"


class JobCanceled(BaseException):
    """Raised inside a running job to stop it.

    Not an `Exception`, so that no `except Exception` on the way up can swallow it.
    """


class TimedOut(DisyreError):
    """The job ran longer than a job may."""

    code = "timeout"


def invalid_input_codes() -> frozenset[str]:
    """The codes of all errors for which the caller has to act."""
    kinds = [InvalidInput]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return frozenset(kind.code for kind in kinds)
