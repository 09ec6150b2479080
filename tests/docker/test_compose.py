"""The composition is as closed as docs/operations.md says it is."""

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest

from disyre.adapters.settings import SharedSettings
from disyre.eligibility import parse_rules
from receiver.settings import ReceiverSettings
from service.settings import ServiceSettings
from tests.docker.conftest import ROOT, Composition, compose_config
from worker.settings import WorkerSettings

SERVICES = ("valkey", "service", "worker", "worker-gpu", "orthanc", "receiver")
OURS = ("service", "worker", "worker-gpu")
WORKERS = ("worker", "worker-gpu")
VOLUMES = {
    "valkey": ("broker", "/data"),
    **dict.fromkeys(OURS, ("data", "/data")),
    "orthanc": ("orthanc", "/var/lib/orthanc/db"),
    "receiver": ("spool", "/data"),
}
"""The one volume that each service writes to, and where it is in the container."""
SECRETS = {
    "valkey": ["valkey.acl"],
    "service": ["broker-url", "api-keys"],
    **{name: ["broker-url"] for name in WORKERS},
    "orthanc": ["orthanc-users.json", "orthanc-key"],
    "receiver": ["receiver-key"],
}
PROFILES = {"worker-gpu": "gpu", "orthanc": "orthanc", "receiver": "receiver"}
"""Services that run only if they are asked for."""
NOT_TO_BE_SET = {"broker_url", "data_dir", "models_dir", "listen_host", "listen_port"}
"""Settings that the images and the composition decide."""


def test_these_are_all_services(composition: Composition) -> None:
    assert set(composition["services"]) == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_do_as_little_as_possible(composition: Composition, name: str) -> None:
    service = composition["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    uid, gid = service["user"].split(":")
    assert int(uid) > 0
    assert int(gid) > 0
    assert not service.get("privileged", False)
    assert not {"network_mode", "pid", "ipc", "devices", "userns_mode", "uts"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_cannot_use_up_the_machine(composition: Composition, name: str) -> None:
    service = composition["services"][name]

    assert int(service["mem_limit"]) > 0
    assert service["memswap_limit"] == service["mem_limit"], "no swap: patient data stays off the disk"
    assert 0 < service["pids_limit"] <= 1024
    assert "core" in service["ulimits"], "a core dump would hold patient data"
    assert service["logging"]["driver"] == "json-file"
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_comes_back_and_ends_in_order(composition: Composition, name: str) -> None:
    service = composition["services"][name]

    assert service["init"] is True
    assert service["restart"] == "unless-stopped"
    assert service["stop_grace_period"].endswith("s")


@pytest.mark.parametrize("name", SERVICES)
def test_what_can_be_written_to_is_a_named_volume_or_a_small_folder_in_memory(
    composition: Composition, name: str
) -> None:
    service = composition["services"][name]

    mounts = [(mount["type"], mount["source"], mount["target"]) for mount in service["volumes"]]
    assert mounts == [("volume", *VOLUMES[name])]
    (tmpfs,) = service["tmpfs"]
    path, _, options = tmpfs.partition(":")
    assert path == "/tmp"
    assert {"noexec", "nosuid", "nodev"} <= set(options.split(","))
    assert "size=" in options


def test_only_the_api_and_what_speaks_to_a_pacs_can_be_reached_and_only_from_this_machine(
    composition: Composition,
) -> None:
    ports = {name: composition["services"][name].get("ports", []) for name in SERVICES}

    assert all(
        ipaddress.ip_address(port["host_ip"]).is_loopback for found in ports.values() for port in found
    )
    assert {
        name: [(port["published"], port["target"]) for port in found]
        for name, found in ports.items()
        if found
    } == {
        "service": [("8000", 8000)],
        "orthanc": [("8042", 8042), ("4242", 4242)],
        "receiver": [("11112", 11112)],
    }


def test_the_address_and_the_port_can_be_chosen() -> None:
    chosen = {"DISYRE_BIND": "192.0.2.1", "DISYRE_PORT": "9000", "DISYRE_RECEIVER_PORT": "104"}

    services = compose_config("--profile", "*", **chosen)["services"]

    for name, published in (("service", "9000"), ("receiver", "104")):
        (port,) = services[name]["ports"]
        assert (port["host_ip"], port["published"]) == ("192.0.2.1", published)


def test_the_orthanc_to_try_stays_on_this_machine_whatever_else_is_chosen() -> None:
    ports = compose_config("--profile", "*", DISYRE_BIND="0.0.0.0")["services"]["orthanc"]["ports"]

    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_the_broker_and_the_workers_have_no_way_out(composition: Composition) -> None:
    networks = {name: set(composition["services"][name]["networks"]) for name in SERVICES}

    assert composition["networks"]["back"]["internal"] is True
    assert networks.pop("service") == {"front", "back"}
    assert networks.pop("orthanc") == networks.pop("receiver") == {"front"}, "they need no broker"
    assert all(found == {"back"} for found in networks.values())


def test_no_password_stands_in_an_environment_or_a_command(composition: Composition) -> None:
    for name in OURS:
        environment = composition["services"][name]["environment"]
        assert "DISYRE_BROKER_URL" not in environment
        assert environment["DISYRE_BROKER_URL_FILE"] == "/run/secrets/broker-url"
    secrets = {
        name: [mounted["source"] for mounted in composition["services"][name]["secrets"]] for name in SERVICES
    }
    assert secrets == SECRETS
    for name in ("orthanc", "receiver"):
        environment = composition["services"][name]["environment"]
        assert environment["DISYRE_KEY_FILE"] == f"/run/secrets/{name}-key"
        assert environment["DISYRE_URL"] == "http://service:8000"
    keys = composition["services"]["service"]["environment"]["DISYRE_API_KEYS_FILE"]
    assert keys == "/run/secrets/api-keys"
    assert all(secret["file"].endswith(name) for name, secret in composition["secrets"].items())


def test_the_broker_keeps_every_accepted_job_and_forgets_none(composition: Composition) -> None:
    command = composition["services"]["valkey"]["command"]

    assert {"--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"} <= set(command)
    assert any(option.startswith("--maxmemory ") for option in command)


def test_the_api_and_the_workers_wait_for_the_broker(composition: Composition) -> None:
    for name in OURS:
        waits_for = composition["services"][name]["depends_on"]
        assert waits_for["valkey"]["condition"] == "service_healthy"
    assert "healthcheck" in composition["services"]["valkey"]


def test_without_a_profile_the_cpu_does_the_work() -> None:
    assert set(compose_config()["services"]) == {"valkey", "service", "worker"}


@pytest.mark.parametrize(("name", "profile"), PROFILES.items())
def test_with_a_profile_its_service_runs_too_and_no_other(name: str, profile: str) -> None:
    asked_for = set(compose_config("--profile", profile)["services"])

    assert asked_for == {"valkey", "service", "worker", name}


def test_the_gpu_profile_reserves_a_gpu_and_insists_on_it(composition: Composition) -> None:
    worker = composition["services"]["worker-gpu"]
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]

    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert worker["profiles"] == ["gpu"]
    assert worker["build"]["args"] == {"RUNTIME": "gpu"}
    assert worker["environment"]["DISYRE_PROVIDER"] == "cuda"
    assert "deploy" not in composition["services"]["worker"]


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_time_to_give_its_job_back(composition: Composition, name: str) -> None:
    grace_s = WorkerSettings.model_fields["shutdown_grace_s"].default

    assert _seconds(composition["services"][name]["stop_grace_period"]) >= 2 * grace_s


@pytest.mark.parametrize(
    ("name", "settings"),
    [("service", ServiceSettings), ("worker", WorkerSettings), ("worker-gpu", WorkerSettings)],
)
def test_every_setting_can_be_set(
    composition: Composition, name: str, settings: type[ServiceSettings] | type[WorkerSettings]
) -> None:
    environment: dict[str, Any] = composition["services"][name]["environment"]
    wanted = {f"DISYRE_{field.upper()}" for field in set(settings.model_fields) - NOT_TO_BE_SET}

    assert set(environment) == wanted


def test_every_setting_of_the_receiver_can_be_set(composition: Composition) -> None:
    wanted = {f"DISYRE_{field.upper()}" for field in ReceiverSettings.model_fields}
    of_the_image = {f"DISYRE_RECEIVER_{name}" for name in ("HOST", "PORT", "SPOOL")}
    of_others = {f"DISYRE_{field.upper()}" for field in SharedSettings.model_fields}

    assert set(composition["services"]["receiver"]["environment"]) == wanted - of_the_image - of_others


def test_the_receiver_has_the_rules_that_ship_or_those_that_are_chosen() -> None:
    for environment, file in (
        ({}, "docker/receiver/rules.toml"),
        ({"DISYRE_RULES_FILE": "./my.toml"}, "my.toml"),
    ):
        composition = compose_config("--profile", "receiver", **environment)
        (mounted,) = composition["services"]["receiver"]["configs"]
        assert composition["configs"][mounted["source"]]["file"] == str(ROOT / file)
        settings = composition["services"]["receiver"]["environment"]
        assert mounted["target"] == settings["DISYRE_RECEIVER_RULES"]


def test_the_rules_that_ship_send_results_to_the_orthanc_beside_the_receiver() -> None:
    rules = parse_rules((ROOT / "docker" / "receiver" / "rules.toml").read_text())
    orthanc = json.loads((ROOT / "docker" / "orthanc" / "orthanc.json").read_text())

    (destination,) = rules.destinations.values()
    assert (destination.host, destination.port, destination.ae_title) == (
        "orthanc",
        4242,
        orthanc["DicomAet"],
    )
    assert [rule.send_to for rule in rules.rules] == [("orthanc",)]


def test_a_setting_of_the_operator_reaches_the_programs() -> None:
    composition = compose_config(DISYRE_LEASE_S="30", DISYRE_BATCH_SIZE="4")

    assert composition["services"]["service"]["environment"]["DISYRE_LEASE_S"] == "30"
    assert composition["services"]["worker"]["environment"]["DISYRE_LEASE_S"] == "30"
    assert composition["services"]["worker"]["environment"]["DISYRE_BATCH_SIZE"] == "4"


def _seconds(duration: str) -> int:
    """Of a duration as Go writes it, such as 1m30s."""
    minutes, _, seconds = duration.removesuffix("s").rpartition("m")
    return 60 * int(minutes or 0) + int(seconds)


def test_tensorrt_is_mounted_where_the_worker_looks_for_it_and_opens_nothing_else() -> None:
    files = ("-f", "docker-compose.yml", "-f", "docker/tensorrt.yml", "--profile", "gpu")
    (with_it, without) = (
        compose_config(*options)["services"]["worker-gpu"] for options in (files, ("--profile", "gpu"))
    )
    data, libraries = with_it["volumes"]

    assert with_it["environment"]["DISYRE_PROVIDER"] == "tensorrt"
    assert with_it["environment"]["LD_LIBRARY_PATH"] == libraries["target"]
    assert libraries["read_only"] is True
    assert libraries["source"] == str(ROOT / "docker" / "tensorrt" / "tensorrt_libs")
    assert [data] == without["volumes"]
    changed = {key for key in with_it if with_it[key] != without.get(key)}
    assert changed == {"environment", "volumes", "healthcheck"}


def test_the_secret_of_a_bucket_is_mounted_for_all_who_use_it_and_they_can_reach_it() -> None:
    files = ("-f", "docker-compose.yml", "-f", "docker/bucket.yml", "--profile", "gpu")
    services = compose_config(*files)["services"]

    for name in ("service", "worker", "worker-gpu"):
        secret = services[name]["environment"]["DISYRE_ARTIFACTS_SECRET_KEY_FILE"]
        mounted = {f"/run/secrets/{each['source']}" for each in services[name]["secrets"]}
        assert {secret, "/run/secrets/broker-url"} <= mounted
        assert set(services[name]["networks"]) == {"back", "front"}
    assert set(services["valkey"]["networks"]) == {"back"}


def test_archives_are_mounted_for_the_api_alone_and_cannot_be_written_to() -> None:
    files = ("-f", "docker-compose.yml", "-f", "docker/archives.yml")
    (with_it, without) = (compose_config(*options)["services"] for options in (files, ()))

    (data, archives) = with_it["service"]["volumes"]
    assert [data] == without["service"]["volumes"]
    assert (archives["type"], archives["read_only"]) == ("bind", True)
    assert archives["source"] == str(ROOT / "docker" / "secrets" / "archives")
    settings = with_it["service"]["environment"]
    assert Path(settings["DISYRE_PACS_FILE"]).parent == Path(archives["target"])
    changed = {key for key in with_it["service"] if with_it["service"][key] != without["service"].get(key)}
    assert changed == {"environment", "volumes"}
    assert with_it["worker"] == without["worker"]
