"""The settings that the API and the workers share, and what is said of those that are wrong."""

import re
from pathlib import Path

import pytest

from cli.parser import KEY_FILE_VARIABLE, URL_VARIABLE
from disyre.adapters.settings import (
    EX_CONFIG,
    KNOWN_VARIABLES,
    SharedSettings,
    find_models,
    read_settings,
    refuse_to_start,
)
from disyre.errors import Misconfigured
from receiver.settings import ReceiverSettings
from service.settings import ServiceSettings
from tests.toy_model import make_toy_model
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[3]
SECRET = "redis://:hunter2@broker:6379/0"


def test_the_brokers_address_may_come_from_a_mounted_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8")

    settings = SharedSettings(broker_url_file=tmp_path / "secret")

    assert settings.broker() == SECRET


def test_the_key_of_a_bucket_has_an_id_and_a_secret_or_is_the_machines_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n", encoding="utf-8")
    own, whole = {"artifacts_secret_key_file": tmp_path / "secret"}, {"artifacts_key_id": "id"}

    assert SharedSettings().artifacts_key() is None
    assert SharedSettings.model_validate({**own, **whole}).artifacts_key() == ("id", "s3cret")
    for half in (own, whole):
        with pytest.raises(Misconfigured, match="ARTIFACTS_SECRET_KEY_FILE together, got one"):
            SharedSettings.model_validate(half).artifacts_key()


def test_the_brokers_password_is_not_printed() -> None:
    settings = SharedSettings.model_validate({"broker_url": SECRET})

    assert settings.broker() == SECRET
    assert "hunter2" not in repr(settings)


def test_the_settings_are_shown_without_the_password() -> None:
    shown = SharedSettings.model_validate({"broker_url": SECRET, "lease_s": 3}).shown()

    assert "lease_s=3.0" in shown
    assert "hunter2" not in shown


def test_a_mounted_secret_that_is_not_there_is_told_without_its_place(tmp_path: Path) -> None:
    settings = SharedSettings(broker_url_file=tmp_path / "secret")

    with pytest.raises(Misconfigured, match="DISYRE_BROKER_URL_FILE cannot be read: No such file") as error:
        settings.broker()

    assert str(tmp_path) not in str(error.value)


def test_an_address_that_is_no_brokers_is_told_without_its_password() -> None:
    settings = SharedSettings.model_validate({"broker_url": SECRET.replace("redis", "amqp")})

    with pytest.raises(Misconfigured, match="expected a broker at one of redis://") as error:
        settings.broker()

    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LEASE_S", "0", "expected a number above 0, got 0"),
        ("MAX_VOXELS", "ZZCANARY", "expected a whole number, got text of 8 characters"),
        ("JOB_TIME_LIMIT_S", "-1", "expected a number above 0, got -1"),
        ("PROVIDER", "ZZCANARY", "expected one of 'cpu', 'cuda' or 'tensorrt', got text of 8 characters"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected_and_its_value_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(f"DISYRE_{name}", value)

    with pytest.raises(Misconfigured) as error:
        read_settings(WorkerSettings)

    assert str(error.value) == f"wrong setting DISYRE_{name}: {words}"
    assert error.value.__cause__ is None


def test_settings_that_do_not_go_together_are_told_without_the_name_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISYRE_RECEIVER_RULES", "rules.toml")
    monkeypatch.setenv("DISYRE_RECEIVER_TLS_KEY_FILE", "key.pem")

    with pytest.raises(Misconfigured, match=r"^wrong settings: expected a certificate and its key together"):
        read_settings(ReceiverSettings)


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("DISYRE_MAX_UPLOAD_BYTE", "DISYRE_MAX_UPLOAD_BYTES"),
        ("DISYRE_BROKER", "DISYRE_BROKER_URL"),
        ("disyre_max_file", "DISYRE_MAX_FILES"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant(
    monkeypatch: pytest.MonkeyPatch, misspelt: str, meant: str
) -> None:
    monkeypatch.setenv(misspelt, "3")

    with pytest.raises(Misconfigured) as error:
        read_settings(SharedSettings)

    assert str(error.value) == f"unknown setting {misspelt}; the nearest known one is {meant}"


def test_a_setting_that_is_like_none_is_refused_by_its_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISYRE_FOO", "3")

    with pytest.raises(Misconfigured, match=r"^unknown setting DISYRE_FOO$"):
        read_settings(SharedSettings)


def test_one_environment_may_hold_the_settings_of_all_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KNOWN_VARIABLES - {f"DISYRE_{field.upper()}" for field in SharedSettings.model_fields}:
        monkeypatch.setenv(name, "of another program")
    monkeypatch.setenv("DISYRE_LEASE_S", "3")

    assert read_settings(SharedSettings).lease_s == 3


def test_a_program_checks_what_it_reads_and_leaves_the_rest_to_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISYRE_LISTEN_PORT", "abc")

    assert read_settings(WorkerSettings).threads is None
    with pytest.raises(Misconfigured, match="DISYRE_LISTEN_PORT: expected a whole number"):
        read_settings(ServiceSettings)


def test_the_known_variables_are_those_of_all_programs() -> None:
    programs = ServiceSettings, WorkerSettings, ReceiverSettings
    fields = {field for program in programs for field in program.model_fields}
    of_programs = {f"DISYRE_{field.upper()}" for field in fields}
    of_compose = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    of_tests = set(re.findall(r"DISYRE_\w+", (ROOT / "tests" / "real_data.py").read_text(encoding="utf-8")))

    of_the_command = {URL_VARIABLE, KEY_FILE_VARIABLE}

    assert of_programs | of_compose | of_tests | of_the_command == KNOWN_VARIABLES


def test_a_program_that_cannot_start_says_why_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        refuse_to_start("worker", Misconfigured("expected this,\n  got that"))

    assert ended.value.code == EX_CONFIG
    assert capsys.readouterr().err == "disyre worker: cannot start: expected this, got that\n"


def test_models_are_those_of_the_current_folder_or_else_those_beside_disyre(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, beside = tmp_path / "here", tmp_path / "beside"
    (here / "models").mkdir(parents=True)
    monkeypatch.chdir(here)
    assert find_models(beside) == Path("models")

    make_toy_model(beside / "models")
    assert find_models(beside) == beside / "models"

    make_toy_model(here / "models")
    assert find_models(beside) == Path("models")


def test_in_a_folder_without_models_those_of_the_checkout_count_unless_others_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISYRE_MODELS_DIR", raising=False)

    assert SharedSettings().models_dir == ROOT / "models"
    assert SharedSettings(models_dir=Path("models")).models_dir == Path("models")
