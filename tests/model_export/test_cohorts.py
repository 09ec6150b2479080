from pathlib import Path

import pytest

from model_export.cohorts import main
from model_export.dataset import find_scans, scan_name

ATLAS = "sub-r{site:03}s{n:03}_ses-1_space-MNI152NLin2009aSym"


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _atlas(folder: Path, n: int) -> Path:
    for number in range(n):
        stem = ATLAS.format(site=1 + number // 38, n=number)
        for end in ("T1w", "label-L_desc-T1lesion_mask"):
            _touch(folder, f"R/{stem.split('_')[0]}/ses-1/anat/{stem}_{end}.nii.gz")
    return folder


def test_brats_gets_the_names_that_training_and_evaluation_read(tmp_path: Path) -> None:
    stem = "BraTS20_Training_001/BraTS20_Training_001"
    _touch(tmp_path / "brats", *(f"{stem}_{kind}.nii" for kind in ("t1", "t1ce", "t2", "flair", "seg")))

    assert main(["brats2020", str(tmp_path / "brats"), str(tmp_path / "out")]) == 0

    names = {path.name for path in (tmp_path / "out/BraTS20_Training_001").iterdir()}
    assert names == {f"BraTS20_Training_001_{kind}.nii" for kind in ("T1w", "T2w", "FLAIR", "lesion")}
    t1w = tmp_path / "out/BraTS20_Training_001/BraTS20_Training_001_T1w.nii"
    assert t1w.resolve() == tmp_path / f"brats/{stem}_t1.nii"


def test_ixi_scans_are_found_with_the_brain_masks_that_are_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _touch(tmp_path / "ixi", "IXI002-Guys-0828-T1.nii.gz", "IXI012-HH-1211-T1.nii.gz", "IXI.xls")
    _touch(tmp_path / "masks", "IXI012-HH-1211_brainmask.nii.gz")

    command = ["ixi", str(tmp_path / "ixi"), str(tmp_path / "out"), "--masks", str(tmp_path / "masks")]
    assert main(command) == 0

    assert capsys.readouterr().out == "ixi: 2 scans, 1 brain masks\n"
    found = find_scans(tmp_path / "out", "T1w")
    assert [scan_name(path) for path in found] == ["IXI002-Guys-0828", "IXI012-HH-1211"]
    assert found[1].with_name("IXI012-HH-1211_brainmask.nii.gz").is_file()


def test_the_first_nine_tenths_of_atlas_are_as_many_as_the_benchmark_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = _atlas(tmp_path / "atlas", 655)
    split = tmp_path / "exclude.tsv"
    split.write_text("name\tsplit\nsub-r001s003\texclude\nsub-r018s654\texclude\n", encoding="utf-8")

    command = ["atlas2", str(source), str(tmp_path / "out"), "--first", "0.9"]
    assert main(command) == 0
    command[2] = str(tmp_path / "fewer")
    assert main([*command, "--split", str(split)]) == 0

    assert capsys.readouterr().out == "atlas2: 589 scans, 0 brain masks\natlas2: 588 scans, 0 brain masks\n"
    assert not (tmp_path / "fewer/sub-r001s003_ses-1").exists()


def test_what_is_not_the_data_set_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = _atlas(tmp_path / "atlas", 2)
    (tmp_path / "there").mkdir()

    assert main(["ixi", str(source), str(tmp_path / "out")]) == 2
    assert main(["atlas2", str(source), str(tmp_path / "there")]) == 2
    next(source.rglob("*lesion_mask.nii.gz")).unlink()
    assert main(["atlas2", str(source), str(tmp_path / "out")]) == 2

    errors = capsys.readouterr().err.splitlines()
    assert [
        "found none" in errors[0],
        "one that exists" in errors[1],
        "none of sub-r001s00" in errors[2],
    ] == [True] * 3
    assert not (tmp_path / "out").exists()
