"""How fast anomalies are made: 96 patches of 128 x 128, on one core.

    scripts/run train python benchmarks/corruption.py

The reference implementation takes about 2.5 s for 96 patches with one DAG anomaly each, on one core. Seconds
are of the processor, the median of several batches. Prints JSON lines.
"""

import json
import statistics
import time
from dataclasses import replace
from typing import Final

import torch

from disyre.intensity import IntensityRule
from model_export.config import CorruptionConfig
from model_export.corruption import corrupt
from model_export.dataset import SliceBank, crop_randomly
from model_export.phantom import make_phantom

_N: Final = 96
_REPEATS: Final = 9
_PUBLISHED = CorruptionConfig(codebook=(0.1, 0.3, 0.5, 0.7, 0.9))
CONFIGS: Final = {
    "FPI, one in every patch": _PUBLISHED.only("fpi"),
    "DAG, one in every patch": _PUBLISHED.only("dag"),
    "lesion-like, one in every patch": replace(_PUBLISHED, p_clean=0, p_fpi=0, p_lesion=1, max_anomalies=1),
    "as in training": _PUBLISHED,
}


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    bank = SliceBank.of([make_phantom(1)], IntensityRule(), min_frame_px=128)
    generator = torch.Generator().manual_seed(0)
    frames = bank.frames(torch.randint(len(bank.coded), (_N,), generator=generator))
    patches, inside = crop_randomly(*frames, 128, generator)
    for name, config in CONFIGS.items():
        times = []
        for _ in range(_REPEATS):
            begun = time.process_time()
            corrupt(patches, inside, config, generator)
            times.append(time.process_time() - begun)
        print(json.dumps({"corruption": name, "s": round(statistics.median(times), 3)}), flush=True)


if __name__ == "__main__":
    main()
