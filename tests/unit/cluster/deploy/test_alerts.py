"""The alert rules, by Prometheus' own tool: each fires for what it is for and is quiet beside it; and all of it is of series that exist."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import cluster.actors.metrics
import serve_app.metrics
from cluster.config.settings import PROJECT_DIR
from scripts.local_servers.base import ensure_program

assert cluster.actors.metrics, serve_app.metrics  # imported for the series they make
DIRECTORY = PROJECT_DIR / "cluster" / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = yaml.safe_load((DIRECTORY / "alerts.yml").read_text())["groups"][0]["rules"]
TESTS: list[dict[str, Any]] = yaml.safe_load((DIRECTORY / "alerts_test.yml").read_text())["tests"]
NAMES = {rule["alert"] for rule in RULES}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [ensure_program("promtool", "prometheus"), *arguments]
    return subprocess.run(command, cwd=DIRECTORY, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("arguments", [("test", "rules", "alerts_test.yml"), ("check", "rules", "alerts.yml")])
def test_the_rules_do_as_their_tests_say(arguments: tuple[str, ...]) -> None:
    done = promtool(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_configuration() -> None:
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_shown_to_fire_and_to_be_quiet() -> None:
    cases = [case for test in TESTS for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == NAMES
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == NAMES


def test_the_series_exist() -> None:
    known = {sample.name for metric in REGISTRY.collect() for sample in metric.samples}
    known |= {f"{metric.name}{end}" for metric in REGISTRY.collect() for end in ("", "_total", "_bucket")}
    named = {name for rule in RULES for name in re.findall(r"\bpalio_\w+", rule["expr"])}
    assert named
    assert named <= known, named - known


def test_the_operators_page_says_what_to_do_for_each() -> None:
    page = (PROJECT_DIR / "docs" / "operations.md").read_text()
    assert set(re.findall(r"`(Palio\w+)`", page)) >= NAMES, NAMES - set(re.findall(r"`(Palio\w+)`", page))
