"""Makes held_back_slices.npz: some slices of the scans that the run of models/t1w/1 held back.

    python tests/data/make_held_back_slices.py RUN_FOLDER

The scans are of OpenNeuro ds002748 (CC0). The same run folder gives the same slices.
"""

import sys
from pathlib import Path

from model_export.dataset import SliceBank
from model_export.run_folder import RunFolder

N_SLICES = 24

if __name__ == "__main__":
    bank = SliceBank.load(RunFolder(Path(sys.argv[1])).held_back_cache)
    coded = bank.coded[bank.evenly(N_SLICES)]
    SliceBank(coded, ("some of each",), (len(coded),)).save(Path(__file__).with_name("held_back_slices.npz"))
