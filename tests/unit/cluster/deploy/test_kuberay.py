"""kuberay.yaml: KubeRay's own schema takes it, what that does not look at fits together, and its settings are Palio's."""

from __future__ import annotations

import copy
import gzip
import importlib.metadata
import json
import os
import re
import shlex
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from cluster.config.settings import PROJECT_DIR, Settings, load_settings
from cluster.startup.ray_environment import RAY_ENVIRONMENT
from scripts.cli.run import _parser
from tests.golden.kuberay.make import FILE, VERSION
from tests.support.ray_cluster import ENVIRONMENT

DEPLOY = PROJECT_DIR / "cluster" / "deploy"
TEXT = (DEPLOY / "kuberay.yaml").read_text()
PARTS = {(part["kind"], part["metadata"]["name"]): part for part in yaml.safe_load_all(TEXT)}
JOB: dict[str, Any] = PARTS["RayJob", "palio"]
CLUSTER: dict[str, Any] = JOB["spec"]["rayClusterSpec"]
HEAD: dict[str, Any] = CLUSTER["headGroupSpec"]["template"]
WORKERS: dict[str, Any] = CLUSTER["workerGroupSpecs"][0]
PODS = {"head": HEAD, "worker": WORKERS["template"]}
SECRET_NAMES = {f"PALIO_{name.upper()}" for name, field in Settings.model_fields.items() if "Secret" in str(field)}


def closed(schema: Any) -> Any:
    """With no other fields than it names: the API server drops them without a word."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made["properties"] = {name: closed(value) for name, value in schema["properties"].items()}
        if schema["properties"] and not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    return made


def faults(job: dict[str, Any]) -> list[str]:
    schema = json.loads(gzip.decompress(FILE.read_bytes()))
    return [error.message for error in Draft202012Validator(closed(schema)).iter_errors(job)]


def test_kuberays_schema_takes_it() -> None:
    assert f"KubeRay {VERSION}" in TEXT
    assert faults(JOB) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "entrypoint"), 1),
        (("spec", "shutdownAfterJobFinish"), True),
        (("spec", "rayClusterSpec", "authOptions", "mode"), "password"),
        (("spec", "rayClusterSpec", "headGroupSpec", "template", "spec", "containers", 0, "readinessProb"), {}),
        (("spec", "rayClusterSpec", "workerGroupSpecs", 0, "minReplicas"), "two"),
    ],
)
def test_it_would_not_take_a_wrong_one(path: tuple[Any, ...], value: Any) -> None:
    job = copy.deepcopy(JOB)
    inner: Any = job
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert faults(job)


def test_palio_takes_its_settings_and_no_secret_is_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("PALIO_")]:
        monkeypatch.delenv(variable)
    variables: dict[str, str] = PARTS["ConfigMap", "palio"]["data"]
    secrets = set(re.findall(r"--from-literal=(\w+)=", TEXT))
    assert secrets <= SECRET_NAMES
    assert not SECRET_NAMES & variables.keys()
    for name, value in {**variables, **dict.fromkeys(secrets, "0" * 32), "PALIO_HOST": "0.0.0.0"}.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.ray_address == "auto"
    mysql, redis = settings.mysql(), settings.redis()
    assert mysql is not None
    assert mysql.password
    assert redis is not None
    assert redis.cluster
    assert settings.kafka(settings.partitions, 1, 1) is not None
    ports = {port["name"]: port["containerPort"] for port in HEAD["spec"]["containers"][0]["ports"]}
    assert (ports["api"], ports["gateway"]) == (settings.port, settings.gateway_port)
    for name, port in (("palio-api", settings.port), ("palio-gateway", settings.gateway_port)):
        assert PARTS["Service", name]["spec"]["ports"][0]["port"] == port


def test_rays_processes_have_the_environment_of_the_nodes_that_are_tested() -> None:
    given = PARTS["ConfigMap", "palio-ray"]["data"]
    wanted = RAY_ENVIRONMENT | ENVIRONMENT | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"}  # not on loopback
    wanted.pop("RAY_AUTH_MODE")
    assert CLUSTER["authOptions"] == {"mode": "token"}  # KubeRay gives RAY_AUTH_MODE and RAY_AUTH_TOKEN
    assert wanted.items() <= given.items()
    assert given.keys() - wanted.keys() == {"PYTHONPATH", "RAY_JOB_STOP_WAIT_TIME_S"}
    assert CLUSTER["rayVersion"] == importlib.metadata.version("ray")
    for part, pod in PODS.items():
        (container,) = pod["spec"]["containers"]
        sources = [next(iter(each.values()))["name"] for each in container["envFrom"]]
        assert sources == (["palio-ray", "palio", "palio"] if part == "head" else ["palio-ray"])
        for each in container["envFrom"]:
            assert "secretRef" in each or ("ConfigMap", each["configMapRef"]["name"]) in PARTS


def test_the_image_is_the_one_that_is_made_here() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    program, *arguments = shlex.split(JOB["spec"]["entrypoint"])
    assert os.access(PROJECT_DIR / program.removeprefix("/opt/palio/"), os.X_OK)
    assert _parser().parse_args(arguments).no_demo
    assert "ENV PATH=/opt/palio/.venv/bin:$PATH " in dockerfile  # KubeRay calls `ray`
    for pod in PODS.values():
        assert f"USER {pod['spec']['securityContext']['runAsUser']}\n" in dockerfile
        (container,) = pod["spec"]["containers"]
        assert container["image"] == HEAD["spec"]["containers"][0]["image"]
        for probe in (container["readinessProbe"], container["livenessProbe"]):
            program, option, code = probe["exec"]["command"]
            assert (program, option) == ("python3", "-c")
            compile(code, "probe", "exec")
            assert probe["timeoutSeconds"] > 2 * 4  # two calls of 4 s each at most


def test_selectors_find_their_pods() -> None:
    labels = {part: pod["metadata"]["labels"] for part, pod in PODS.items()}

    def selected(selector: dict[str, str]) -> set[str]:
        return {part for part, have in labels.items() if selector.items() <= have.items()}

    for part in PODS:
        budget = PARTS["PodDisruptionBudget", f"palio-{part}"]["spec"]
        assert selected(budget["selector"]["matchLabels"]) == {part}
    assert selected(PARTS["Service", "palio-api"]["spec"]["selector"]) == {"head"}
    assert selected(PARTS["Service", "palio-gateway"]["spec"]["selector"]) == {"head", "worker"}
    (spread,) = WORKERS["template"]["spec"]["topologySpreadConstraints"]
    assert selected(spread["labelSelector"]["matchLabels"]) == {"head", "worker"}
    assert 1 <= WORKERS["minReplicas"] <= WORKERS["replicas"] <= WORKERS["maxReplicas"]
    assert CLUSTER["enableInTreeAutoscaling"]
