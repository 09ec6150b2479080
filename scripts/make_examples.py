"""Makes the scans in `examples/` from the public data that they come from (see examples/README.md).

    python scripts/make_examples.py DATA --head-mask MASK

DATA holds `healthy_t1w/ds002748/sub-60_T1w.nii.gz` and `dicom_t1w_head/series.zip`; MASK is a brain mask of
that series on its own grid. The same input gives the same bytes.
"""

import argparse
import gzip
import tempfile
import zipfile
from copy import deepcopy
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from disyre import geometry
from disyre.adapters.archive import ArchiveLimits, read_members
from disyre.adapters.dicom_read import read_dicom
from disyre.adapters.nifti import read_nifti
from disyre.adapters.nifti_write import write_nifti
from disyre.types import Affine
from disyre.volume import Volume

EXAMPLES = Path(__file__).parents[1] / "examples"
FACTOR = 2
"""So many voxels of the head along each axis become one."""


def main() -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--head-mask", type=Path, required=True)
    arguments = parser.parse_args()
    write_packed(
        EXAMPLES / "t1w.nii.gz", read_nifti(arguments.data / "healthy_t1w/ds002748/sub-60_T1w.nii.gz")
    )
    files = list(read_members(arguments.data / "dicom_t1w_head/series.zip", ArchiveLimits()))
    head = coarser(read_dicom(files))
    template = pydicom.dcmread(BytesIO(files[0]), stop_before_pixels=True)
    write_series(EXAMPLES / "head.zip", head, template=template)
    mask = coarser(read_nifti(arguments.head_mask))
    write_packed(EXAMPLES / "head_mask.nii.gz", mask.with_voxels((mask.voxels >= 0.5).astype(np.float32)))
    for path in sorted(EXAMPLES.glob("*.*z*")):
        print(f"{path.stat().st_size:>9} {path.name}")


def coarser(volume: Volume) -> Volume:
    """The mean of each block of voxels, in the middle of the block."""
    shape = [n // FACTOR for n in volume.shape]
    whole = volume.voxels[tuple(slice(n * FACTOR) for n in shape)]
    blocks = whole.reshape(shape[0], FACTOR, shape[1], FACTOR, shape[2], FACTOR)
    to_block = np.diag([FACTOR, FACTOR, FACTOR, 1.0])
    to_block[:3, 3] = (FACTOR - 1) / 2
    return Volume(blocks.mean(axis=(1, 3, 5)), volume.affine @ to_block)


def write_packed(path: Path, volume: Volume) -> None:
    """Write whole numbers up to 255 as NIfTI, compressed as far as it goes."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.nii"
        write_nifti(plain, volume, dtype=np.uint8)
        path.write_bytes(gzip.compress(plain.read_bytes(), compresslevel=9, mtime=0))


def write_series(path: Path, volume: Volume, *, template: Dataset) -> None:
    """Write a volume as a zipped DICOM series, with what the template says of the patient and the scanner."""
    affine = geometry.ras_to_lps(volume.affine)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for k in range(volume.shape[2]):
            image = one_image(template, volume.voxels[:, :, k], affine, k)
            buffer = BytesIO()
            image.save_as(buffer, enforce_file_format=True)
            member = zipfile.ZipInfo(f"head/{k + 1:04d}.dcm", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, buffer.getvalue(), compresslevel=9)


def one_image(template: Dataset, voxels: npt.NDArray[np.float32], affine: Affine, k: int) -> Dataset:
    """Slice `k` of the series; the affine is that of the volume, in LPS."""
    image = deepcopy(template)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    image.SeriesInstanceUID = uid.generate_uid(entropy_srcs=[template.SeriesInstanceUID, "coarser"])
    image.SOPInstanceUID = uid.generate_uid(entropy_srcs=[template.SeriesInstanceUID, "coarser", str(k)])
    image.SeriesDescription = f"anat-T1w, means of {FACTOR} x {FACTOR} x {FACTOR} voxels"
    spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)
    directions = affine[:3, :3] / spacing_mm
    image.InstanceNumber = k + 1
    image.Columns, image.Rows = voxels.shape
    image.PixelSpacing = decimals([spacing_mm[1], spacing_mm[0]])
    image.SliceThickness, image.SpacingBetweenSlices = decimals([spacing_mm[2]] * 2)
    image.ImageOrientationPatient = decimals([*directions[:, 0], *directions[:, 1]])
    image.ImagePositionPatient = decimals((affine @ [0, 0, k, 1])[:3])
    image.PixelData = np.round(voxels.T).astype("<i2").tobytes()
    return image


def decimals(values: npt.ArrayLike) -> list[str]:
    """Numbers as DICOM writes them, in at most 16 characters."""
    return [f"{value:.10g}"[:16] for value in np.asarray(values)]


if __name__ == "__main__":
    main()
