"""The voxels of DICOM images, decoded and scaled as their headers say (pydicom, imagecodecs)."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from disyre.adapters.dicom_files import map_dicom
from disyre.adapters.dicom_frames import Frame
from disyre.adapters.dicom_jpeg import checked_frames, decode_jpeg
from disyre.adapters.dicom_opening import DECODERS
from disyre.adapters.dicom_scale import scale_of
from disyre.admission import OnWarning
from disyre.types import Voxels
from disyre.wording import counted


def read_voxels(frames: Sequence[Frame], shape: tuple[int, int], on_warning: OnWarning) -> Voxels:
    """Decode frames that lie one behind another; each file is decoded once.

    What the headers call padding (PixelPaddingValue) and is not 0 becomes as dark as the darkest other voxel.
    """
    voxels = np.empty((*shape, len(frames)), dtype=np.float32, order="F")
    places: dict[int, list[int]] = defaultdict(list)
    for k, frame in enumerate(frames):
        places[id(frame.dataset)].append(k)

    def fill(ks: list[int]) -> bool:
        dataset = frames[ks[0]].dataset
        images, mosaic = _decoded(dataset), frames[ks[0]].mosaic
        images = mosaic.tiles(images) if mosaic else images.reshape(-1, shape[1], shape[0])
        is_padded = False
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, and counted later
            for k in ks:
                stored = images[frames[k].index]
                voxels[:, :, k] = _rescaled(stored, frames[k].header).T
                padding = _padding(stored, dataset)
                if padding is not None:
                    missing = padding.T & (voxels[:, :, k] != 0)
                    voxels[:, :, k][missing] = np.nan
                    is_padded = is_padded or bool(missing.any())
        return is_padded

    if any(map_dicom(fill, list(places.values()))):
        _fill_padding(voxels, on_warning)
    return voxels


def least_slope(frames: Sequence[Frame]) -> float:
    """The least of the slopes by which the values of frames are scaled."""
    return min(scale_of(frame.header).slope for frame in frames)


def _decoded(dataset: Dataset) -> npt.NDArray[np.number]:
    plugin = DECODERS[dataset.file_meta.TransferSyntaxUID]
    if plugin == "imagecodecs":
        return decode_jpeg(dataset)
    if plugin in ("pyjpegls", "pylibjpeg"):
        # They make room for any size, and CharLS does not come back from some frames that are cut off.
        checked_frames(dataset)
    return pixel_array(dataset, decoding_plugin=plugin)


def _padding(stored: npt.NDArray[np.number], dataset: Dataset) -> npt.NDArray[np.bool_] | None:
    """Which pixels were never measured; None if the header does not say."""
    value, limit = (dataset.get(f"PixelPadding{name}") for name in ("Value", "RangeLimit"))
    if not isinstance(value, int):
        return None
    ends = [value, limit if isinstance(limit, int) else value]
    if dataset.get("PixelRepresentation") == 1:  # some write a signed value as if it had no sign
        ends = [end - (end >= 2**15) * 2**16 for end in ends]
    return np.asarray((stored >= min(ends)) & (stored <= max(ends)))


def _fill_padding(voxels: Voxels, on_warning: OnWarning) -> None:
    padding = np.isnan(voxels)
    voxels[padding] = np.min(voxels, where=np.isfinite(voxels), initial=np.inf)
    voxels[padding & np.isinf(voxels)] = 0.0  # there is nothing but padding
    on_warning(
        f"{counted(int(np.count_nonzero(padding)), 'voxel')} set to the darkest value of the others, as the "
        "headers call them padding"
    )


def _rescaled(image: npt.NDArray[np.number], header: Dataset) -> npt.NDArray[np.number]:
    slope, intercept = scale_of(header)
    if (slope, intercept) == (1.0, 0.0):
        return image
    return np.asarray(image * slope + intercept)
