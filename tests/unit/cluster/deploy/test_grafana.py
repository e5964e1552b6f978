"""Grafana's dashboards: each query is PromQL and asks for series and labels that Palio has; the files are of Grafana's shape."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

import cluster.actors.metrics
import serve_app.metrics
from cluster.config.settings import PROJECT_DIR
from scripts.local_servers.base import ensure_program

assert cluster.actors.metrics, serve_app.metrics  # imported for the series they make
DEPLOY = PROJECT_DIR / "cluster" / "deploy"
GRAFANA = DEPLOY / "grafana"
DASHBOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))
}
TARGETS: list[dict[str, Any]] = [
    target for dashboard in DASHBOARDS.values() for panel in dashboard["panels"] for target in panel["targets"]
]
OF_PROMETHEUS = {"instance", "job", "le"}  # labels that it gives itself, or histograms have


def labels_of_series() -> dict[str, set[str]]:
    """What each series of Palio's is labelled with."""
    found: dict[str, set[str]] = {}
    for module in (cluster.actors.metrics, serve_app.metrics):
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                (family,) = metric.describe()
                for end in {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",)):
                    found[f"{family.name}{end}"] = set(metric._labelnames)  # there is no other way to ask
    return found


def test_the_series_are_those_that_are_registered() -> None:
    assert {name.removesuffix("_total") for name in labels_of_series() if not name.endswith(("_count", "_sum"))} <= {
        f"{family.name}{end}" for family in REGISTRY.collect() for end in ("", "_bucket")
    }


@pytest.mark.parametrize("expression", sorted({target["expr"] for target in TARGETS}))
def test_each_query_asks_for_what_there_is(expression: str) -> None:
    known = labels_of_series()
    named = re.findall(r"\bpalio_\w+", expression)
    assert set(named) <= known.keys()
    assert named or re.search(r'job="palio"|ALERTS', expression)
    asked = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
    asked |= set(re.findall(r"(\w+)\s*=~?\"", expression))
    have = {label for name in named for label in known[name]} | OF_PROMETHEUS
    if "ALERTS" in expression:
        have |= {"alertname", "alertstate"}
    assert asked <= have


def test_each_legend_names_a_label_that_the_query_keeps() -> None:
    for target in TARGETS:
        kept = {label.strip() for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in group.split(",")}
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, target


def test_prometheus_reads_each_query(tmp_path: Path) -> None:
    rules = [{"record": f"palio:panel:{number}", "expr": target["expr"]} for number, target in enumerate(TARGETS)]
    file = tmp_path / "rules.yml"

    def checked() -> subprocess.CompletedProcess[str]:
        file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
        command = [ensure_program("promtool", "prometheus"), "check", "rules", str(file)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    done = checked()
    assert done.returncode == 0, done.stdout + done.stderr
    rules[0]["expr"] += ")"
    assert checked().returncode != 0


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_has_grafanas_shape(name: str) -> None:
    dashboard = DASHBOARDS[name]
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", dashboard["uid"])
    assert {"title", "schemaVersion", "time", "templating", "annotations", "panels"} <= dashboard.keys()
    assert "id" not in dashboard, "Grafana gives it"
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    ids: set[int] = set()
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        assert panel["type"] in {"stat", "timeseries"}
        assert panel["title"]
        ids.add(panel["id"])
        for asks in (panel, *panel["targets"]):
            assert asks["datasource"] == {"type": source["type"], "uid": source["uid"]}
        assert [target["refId"] for target in panel["targets"]] == list("ABC"[: len(panel["targets"])])
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells
    assert len(ids) == len(dashboard["panels"])


def test_grafana_finds_them() -> None:
    assert set(DASHBOARDS) == {"capacity", "overview"}
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/palio.yaml").read_text())["providers"]
    mounted = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounted
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
