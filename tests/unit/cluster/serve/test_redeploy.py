from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.config.settings import Settings
from cluster.errors import StartError
from cluster.serve.redeploy import ENTRYPOINT_SETTINGS, entrypoint_settings


def test_settings_of_the_entrypoints_that_are_given_go_before_those_of_the_start() -> None:
    started = Settings(gateway_replicas_max=3, player_rate=7, shards=4, kafka_topic="scores")
    found = entrypoint_settings(started, Settings(player_rate=9, gateway_replicas_min=2))
    assert found == started.model_copy(update={"player_rate": 9.0, "gateway_replicas_min": 2})


def test_what_is_given_as_it_was_at_the_start_is_fine(tmp_path: Path) -> None:
    started = Settings(shards=4, record_secret="x" * 40, data_dir=tmp_path)
    assert entrypoint_settings(started, Settings(shards=4, record_secret="x" * 40, ray_address="a:1")) == started


@pytest.mark.parametrize(
    "given", [{"shards": 5}, {"kafka_topic": "others"}, {"gateway_port": 9}, {"record_secret": "y" * 40}]
)
def test_what_concerns_more_than_the_entrypoints_is_refused(given: dict[str, Any]) -> None:
    [name] = given
    with pytest.raises(StartError, match=f"PALIO_{name.upper()}.*only a restart") as caught:
        entrypoint_settings(Settings(record_secret="x" * 40), Settings(**given))
    assert "yyy" not in str(caught.value)


def test_the_settings_of_the_entrypoints_exist() -> None:
    assert set(Settings.model_fields) >= ENTRYPOINT_SETTINGS
