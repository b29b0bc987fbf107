"""The Compose file: valid, without default passwords, and with nothing published that need not be."""

import re

import compose
import database
import pytest
import stopping
import yaml
from conftest import DEPLOY, EMAIL, PASSWORD, free_port, measured, run
from rest import Rest
from server import Server

TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
SET = {"POSTGRES_PASSWORD": "superuser-password", "TOKENIM_DB_PASSWORD": "role-password"}


@pytest.fixture(scope="module")
def services():
    return compose.load(TEXT, SET)["services"]


def seconds(duration):
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([hms])", duration))


def test_every_password_must_be_given_and_the_example_gives_none():
    for name in SET:
        with pytest.raises(compose.Missing, match=name):
            compose.load(TEXT, {**SET, name: ""})
    example = (DEPLOY / "example.env").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == {*SET, "TOKENIM_PUBLIC_ORIGIN"}
    assert not re.findall(r"^\w+=.+$", example, re.MULTILINE)


def test_what_the_specification_forbids_is_noticed():
    for wrong in (TEXT.replace("restart:", "restrt:"), TEXT.replace("service_healthy", "service_happy"), TEXT.replace("networks: [database]", "networks: [nowhere]")):
        assert wrong != TEXT
        with pytest.raises(ValueError):
            compose.load(wrong, SET)


def test_only_loopback_is_published_and_the_database_not_at_all(services):
    published = {name: service.get("ports", []) for name, service in services.items()}
    assert published == {
        "tokenim": ["127.0.0.1:8080:8080"],
        "postgres": [],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    assert services["postgres"]["networks"] == ["database"]
    assert compose.load(TEXT, SET)["networks"]["database"] == {"internal": True}


def test_monitoring_is_asked_for_by_its_profile(services):
    assert {name for name, service in services.items() if service.get("profiles") == ["monitoring"]} == {"prometheus", "grafana"}


def test_the_server_waits_for_the_database_and_may_drain_to_its_end(services):
    server = services["tokenim"]
    assert server["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "--host=127.0.0.1" in services["postgres"]["healthcheck"]["test"]
    assert seconds(server["stop_grace_period"]) > stopping.longest_stop_seconds()
    assert server["read_only"] and server["cap_drop"] == ["ALL"] and server["ulimits"] == {"nofile": 1048576}


def test_images_have_a_version_and_mounts_exist(services):
    for name, service in services.items():
        if name != "tokenim":
            assert re.fullmatch(r"\S+:v?\d+\S*", service["image"]), name
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in compose.load(TEXT, SET)["volumes"] or (source.startswith("./") and (DEPLOY / source).exists()), volume


def test_the_server_runs_on_the_database_as_they_are_configured(services, binary, samples, tmp_path):
    """The server's variables and the database's script, with addresses of this machine in place of the network's."""
    env = {name: value or "" for name, value in services["tokenim"]["environment"].items()}
    url = f"postgres://tokenim:{SET['TOKENIM_DB_PASSWORD']}@postgres:5432/tokenim"
    assert env["TOKENIM_DATABASE__URL"] == url
    port = free_port()
    env["TOKENIM_DATABASE__URL"] = url.replace("postgres:5432", f"127.0.0.1:{port}")
    with database.started(port, services["postgres"]["environment"]) as folder:
        server = Server(binary, tmp_path, env=env)
        server.bootstrap(email=EMAIL, password=PASSWORD)
        server.start()
        try:
            rest = Rest(server.url, server.identity["key"])
            rest.call("POST", "/v1/conversations", {"kind": "group", "id": "lobby", "members": ["alice"]})
            assert run(binary, "health", "--private-listen", f"127.0.0.1:{server.private}") == "ready\n"
            assert measured(server).keys() == samples.keys(), "the metrics are those of a server on SQLite"
            role = "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = 'tokenim'"
            assert run(database.programs() / "psql", "-At", "-h", folder, "-p", port, "-U", "postgres", "-c", role) == "f|f\n"
            assert server.terminate() == 0, server.tail()
        finally:
            server.kill()
    assert not (server.data / "tokenim.db").exists()


def test_grafana_finds_its_dashboard_and_data_source(services):
    provisioning = DEPLOY / "grafana/provisioning"
    source = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text(encoding="utf-8"))["datasources"][0]
    provider = yaml.safe_load((provisioning / "dashboards/tokenim.yml").read_text(encoding="utf-8"))["providers"][0]
    mounts = dict(reversed(volume.removesuffix(":ro").split(":")) for volume in services["grafana"]["volumes"])
    assert source["type"] == "prometheus" and source["url"] == "http://prometheus:9090"
    assert (DEPLOY / mounts[provider["options"]["path"]] / "tokenim.json").exists()
    assert mounts["/etc/grafana/provisioning"] == "./grafana/provisioning"
