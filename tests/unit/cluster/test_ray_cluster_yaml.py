"""ray_cluster.yaml: valid for Ray's launcher, also where the launcher does not look; and in step with the rest."""

from __future__ import annotations

import copy
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.config.secrets import RAY_TOKEN
from cluster.config.settings import PROJECT_DIR, Settings, load_settings
from cluster.startup.ray_environment import RAY_ENVIRONMENT
from tests.support.ray_cluster import ENVIRONMENT

SECRET_NAMES = {f"PALIO_{name.upper()}" for name, field in Settings.model_fields.items() if "Secret" in str(field)}
# Of Ray's AWS provider: it takes others without a word, and does nothing with them.
PROVIDER_KEYS = {"type", "region", "availability_zone", "cache_stopped_nodes", "security_group"}
# Parameters of EC2's RunInstances that are the operator's; Ray sets the count, the subnet, the key and the security group.
MACHINE_KEYS = {"InstanceType", "ImageId", "BlockDeviceMappings"}


@pytest.fixture
def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROJECT_DIR / "ray_cluster.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(autouse=True)
def no_palio_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.upper().startswith("PALIO_"):
            monkeypatch.delenv(variable)


def heredoc(commands: list[str], path: str) -> dict[str, str]:
    """The variables that a command writes into a file, as the shell does it."""
    [command] = [each for each in commands if f"cat > {path}" in each]
    matched = re.fullmatch(rf"cat > {path} <<'END'\n(.*)\nEND\n?", command, re.DOTALL)
    assert matched is not None, command
    return dict(line.split("=", 1) for line in matched[1].splitlines())


def test_ray_takes_it(config: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(copy.deepcopy(config))
    validate_config(prepared)
    assert prepared["available_node_types"]["worker"]["min_workers"] == 1
    assert set(prepared["file_mounts"]) == set(config["file_mounts"])


def test_ray_would_not_take_a_wrong_one(config: dict[str, Any]) -> None:
    from jsonschema import ValidationError
    from ray.autoscaler._private.util import prepare_config, validate_config

    config["available_node_types"]["worker"]["resources"]["CPU"] = 1.5
    with pytest.raises(ValidationError):
        validate_config(prepare_config(config))


def test_what_ray_does_not_look_at(config: dict[str, Any]) -> None:
    assert set(config["provider"]) <= PROVIDER_KEYS
    types = config["available_node_types"]
    for node_type in types.values():
        assert set(node_type["node_config"]) == MACHINE_KEYS
        assert re.fullmatch(r"[a-z0-9]+\.[a-z0-9]+", node_type["node_config"]["InstanceType"])
        assert re.fullmatch(r"ami-[0-9a-f]{17}", node_type["node_config"]["ImageId"])
        assert 0 <= node_type["min_workers"] <= node_type["max_workers"] <= config["max_workers"]
    assert types[config["head_node_type"]]["max_workers"] == 0
    assert types["worker"]["min_workers"] >= 1
    for rule in config["provider"]["security_group"]["IpPermissions"]:
        assert all(address["CidrIp"] != "0.0.0.0/0" for address in rule["IpRanges"])


def test_files_that_are_mounted_are_there_and_are_all_that_runs(config: dict[str, Any]) -> None:
    home = "/home/ubuntu/palio/"
    for remote, local in config["file_mounts"].items():
        assert remote == home + local
        assert local == RAY_TOKEN or (PROJECT_DIR / local).exists()  # the token is made for each cluster
    packages = {path.name for path in PROJECT_DIR.iterdir() if (path / "__init__.py").exists()} - {"tests"}
    assert packages <= set(config["file_mounts"].values())


def test_every_machine_has_the_environment_of_the_nodes_that_are_tested(config: dict[str, Any]) -> None:
    wanted = RAY_ENVIRONMENT | ENVIRONMENT | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"}  # not on loopback
    wanted["RAY_AUTH_TOKEN_PATH"] = f"/home/ubuntu/palio/{RAY_TOKEN}"
    assert wanted["RAY_AUTH_MODE"] == "token"
    assert config["file_mounts"][wanted["RAY_AUTH_TOKEN_PATH"]] == RAY_TOKEN
    assert heredoc(config["setup_commands"], "/home/ubuntu/ray.env") == wanted
    for commands in (config["head_start_ray_commands"], config["worker_start_ray_commands"]):
        assert ". /home/ubuntu/ray.env" in commands[-1]


def test_palio_takes_its_settings_and_no_secret_is_among_them(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = heredoc(config["head_setup_commands"], "/home/ubuntu/palio.env")
    assert SECRET_NAMES
    assert not SECRET_NAMES & set(variables)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.host, settings.ray_address) == ("0.0.0.0", "auto")
    mysql, redis = settings.mysql(), settings.redis()
    assert mysql is not None
    assert redis is not None
    assert [len(shard.replicas) for shard in mysql.shards] == [1, 1]
    assert redis.cluster
    assert settings.kafka(settings.partitions, 1, 1) is not None
    assert settings.influx() is not None


def test_the_commands_are_shell(config: dict[str, Any], tmp_path: Path) -> None:
    for kind in ("initialization", "setup", "head_setup", "head_start_ray", "worker_start_ray"):
        for command in config[f"{kind}_commands"]:
            subprocess.run(["bash", "-n", "-c", command], check=True, cwd=tmp_path)
