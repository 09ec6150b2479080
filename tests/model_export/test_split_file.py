import json
from pathlib import Path

import pytest

from disyre.adapters.nifti_write import write_nifti
from disyre.errors import InvalidInput
from model_export import train
from model_export.phantom import make_phantom
from model_export.run_folder import RunFolder
from model_export.split_file import drawn, last_eighth, read_split, roles_of

NAMES = ["sub-01", "sub-02_ses-1", "sub-02_ses-2", "IXI002-Guys"]


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_json_and_tsv_say_the_same(tmp_path: Path) -> None:
    roles = {"sub-01": "validation", "sub-02": "exclude", "*": "train"}
    as_json = _write(tmp_path / "split.json", json.dumps(roles))
    rows = "".join(f"34\t{name}\t{role}\n" for name, role in roles.items())
    as_tsv = _write(tmp_path / "participants.tsv", f"age\tparticipant_id\tsplit\n{rows}")

    assert read_split(as_json) == read_split(as_tsv) == roles


def test_a_scan_follows_its_own_name_before_its_person_before_all_others() -> None:
    roles = roles_of(NAMES, {"*": "train", "sub-02": "validation", "sub-02_ses-2": "exclude"})

    assert list(roles.values()) == ["train", "validation", "exclude", "train"]


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.json", '{"sub-01": "test"}', "train, validation, exclude .* sub-01"),
        ("a.json", '{"sub-01": "train", "sub-01": "exclude"}', "once, got sub-01 again"),
        ("a.json", '["sub-01"]', "one JSON object"),
        ("a.json", '{"sub-01": ', "readable split file"),
        ("a.tsv", "sub-01 train\n", "columns name and split"),
        ("a.tsv", "name\tsplit\nsub-01\n", "train, validation, exclude .* sub-01"),
        ("a.tsv", "", "columns name and split"),
    ],
)
def test_a_file_that_is_no_split_is_refused(name: str, text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=what):
        read_split(_write(tmp_path / name, text))


def test_a_split_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="readable split file"):
        read_split(tmp_path / "none.json")


def test_names_without_a_scan_and_scans_without_a_name_are_told() -> None:
    with pytest.raises(InvalidInput, match=r"found none for a0, a1, a2, a3, a4 and 2 more"):
        roles_of(NAMES, {"*": "train", **{f"a{n}": "exclude" for n in range(7)}})
    with pytest.raises(InvalidInput, match=r'an entry "\*"; missing: sub-02_ses-2, IXI002-Guys'):
        roles_of(NAMES, {"sub-01": "train", "sub-02_ses-1": "validation"})


def test_by_rule_no_person_is_on_both_sides() -> None:
    names = [f"sub-{person:02}_ses-{session}" for person in range(16) for session in (1, 2)]

    last = [name for name, role in last_eighth(names).items() if role == "validation"]
    some = [name for name, role in drawn(names, 5, seed=1).items() if role == "validation"]

    assert last == ["sub-14_ses-1", "sub-14_ses-2", "sub-15_ses-1", "sub-15_ses-2"]
    assert len(some) == 10
    assert len({name.split("_")[0] for name in some}) == 5
    assert drawn(names, 5, seed=1) == drawn(names[::-1], 5, seed=1) != drawn(names, 5, seed=2)


@pytest.mark.parametrize("n", [0, 3])
def test_somebody_has_to_be_left_on_both_sides(n: int) -> None:
    with pytest.raises(InvalidInput, match="1 to 2 persons"):
        drawn(NAMES, n, seed=0)


def test_a_run_on_a_bids_data_set_follows_the_split_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        folder = tmp_path / f"cohort/sub-{number}/anat"
        folder.mkdir(parents=True)
        write_nifti(folder / f"sub-{number}_T1w.nii.gz", make_phantom(number).volume)
    split = _write(
        tmp_path / "split.tsv", "name\tsplit\nsub-0\tvalidation\nsub-2\texclude\nsub-1\ttrain\nsub-3\ttrain\n"
    )
    config = _write(
        tmp_path / "tiny.toml", 'name = "a"\nmodality = "T1w"\ntotal_patches = 1\nbatch_size = 1\n'
    )
    command = ["--config", str(config), "--data", str(tmp_path / "cohort"), "--split", str(split), "--out"]

    assert train.main([*command, str(tmp_path / "run")]) == 0

    found = RunFolder(tmp_path / "run").split()
    assert (found.trained_on, found.held_back) == (("sub-1", "sub-3"), ("sub-0",))

    assert train.main([*command, str(tmp_path / "other"), "--modality", "T2w"]) == 2
    assert (
        "expected scans named *_T2w.nii.gz, or T2w.nii.gz in folders of their own, below"
        in capsys.readouterr().err
    )

    _write(split, "name\tsplit\n*\ttrain\n")
    assert train.main([*command, str(tmp_path / "again")]) == 2
    assert "scans to hold back, got 4 and 0" in capsys.readouterr().err
