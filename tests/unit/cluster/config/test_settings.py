import os
import pickle
import stat
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from cluster.config.secrets import load_or_create_secret
from cluster.config.settings import Settings, describe, load_settings
from cluster.errors import SettingsError, StartError


@pytest.fixture(autouse=True)
def no_palio_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.upper().startswith("PALIO_"):
            monkeypatch.delenv(variable)


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.gateway_port, settings.partitions) == ("127.0.0.1", 8000, 8001, 50)
    assert (settings.player_rate, settings.player_burst, settings.service_rate, settings.anonymous_rate) == (
        20,
        40,
        10_000,
        50,
    )
    assert (settings.max_body_bytes, settings.max_frame_bytes, settings.max_subscriptions, settings.max_sockets) == (
        2**20,
        2**14,
        100,
        5000,
    )
    assert settings.data_dir == Path(__file__).parents[4] / "var" / "data"


def test_the_environment_sets_and_the_command_line_goes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PALIO_PORT", "9000")
    monkeypatch.setenv("PALIO_DEMO", "false")
    monkeypatch.setenv("PALIO_DATA_DIR", str(tmp_path))
    settings = load_settings(port=9100, gateway_port=None)
    assert (settings.port, settings.gateway_port, settings.demo, settings.data_dir) == (9100, 8001, False, tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("PALIO_PORT", "http", "PALIO_PORT: expected integer, 1 to 65535, got 'http'"),
        ("PALIO_PORT", "65536", "PALIO_PORT: expected integer, 1 to 65535, got '65536'"),
        ("PALIO_DEMO", "perhaps", "PALIO_DEMO: expected true or false, got 'perhaps'"),
        ("PALIO_PLAYER_RATE", "0", "PALIO_PLAYER_RATE: expected number, above 0, got '0'"),
        ("PALIO_MAX_WAIT_S", "nan", "PALIO_MAX_WAIT_S: expected number, 0 to 10, got 'nan'"),
        ("PALIO_DATA_DIR", "", "PALIO_DATA_DIR: expected path, got ''"),
        ("PALIO_JWT_ALGORITHM", "none", "PALIO_JWT_ALGORITHM: expected one of HS256, RS256, ES256, EdDSA, got 'none'"),
        (
            "PALIO_JWT_ALGORITHM",
            "ES256",
            "PALIO_JWT_JWKS: expected a path or URL, since PALIO_JWT_ALGORITHM is ES256, got nothing",
        ),
        ("PALIO_GATEWAY_PORT", "8000", "PALIO_GATEWAY_PORT: expected another port than PALIO_PORT, got 8000 for both"),
    ],
)
def test_an_ill_typed_variable_is_named_with_what_was_expected_and_got(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert str(error.value) == message


def test_an_unknown_variable_is_named_and_the_nearest_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIO_PORTT", "9000")
    with pytest.raises(SettingsError, match=r"^PALIO_PORTT: .*unknown name; did you mean PALIO_PORT\?$"):
        load_settings()


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIO_JWT_SECRET", "too-short-hunter2")
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert str(error.value) == "PALIO_JWT_SECRET: expected secret, at least 32 characters, got (hidden)"
    assert error.value.__cause__ is None
    secret = "hunter2" * 8
    monkeypatch.setenv("PALIO_JWT_SECRET", secret)
    settings = load_settings()
    assert settings.jwt_secret is not None
    assert settings.jwt_secret.get_secret_value() == secret
    shown = [repr(settings), str(settings), *map(str, describe(settings))]
    assert not any("hunter2" in text for text in shown)
    assert next(row.value for row in describe(settings) if row.variable == "PALIO_JWT_SECRET") == "(set)"


def test_settings_are_frozen_and_travel_to_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(port=9000)
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]
    monkeypatch.setenv("PALIO_PORT", "1")  # another process's environment has no say
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_every_setting_is_described_with_type_default_and_meaning() -> None:
    rows = describe()
    names = [row.variable for row in rows]
    assert sorted(names) == sorted("PALIO_" + name.upper() for name in Settings.model_fields)
    assert (names[0], names[-1]) == ("PALIO_HOST", "PALIO_INFLUX_CA_FILE"), "the servers' come last"
    assert all(row.type and row.default and row.description.endswith(".") and row.value is None for row in rows)


def test_a_secret_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    secret = load_or_create_secret(tmp_path / "data", "jwt_secret")
    assert len(secret) == 64
    assert load_or_create_secret(tmp_path / "data", "jwt_secret") == secret
    assert load_or_create_secret(tmp_path / "data", "record_secret") != secret
    assert stat.S_IMODE((tmp_path / "data" / "jwt_secret").stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["jwt_secret", "record_secret"]


def test_those_who_race_to_make_a_secret_agree_on_one(tmp_path: Path) -> None:
    found, start = [], threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(load_or_create_secret(tmp_path, "jwt_secret"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_secret_that_is_too_short_or_cannot_be_made_is_an_error_at_start(tmp_path: Path) -> None:
    (tmp_path / "jwt_secret").write_text("")
    with pytest.raises(StartError, match="at least 32 bytes"):
        load_or_create_secret(tmp_path, "jwt_secret")
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="cannot read or make the secret"):
        load_or_create_secret(tmp_path / "file", "jwt_secret")


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "palio.toml"
    monkeypatch.setenv("PALIO_CONFIG", str(path))
    return path


def test_a_file_sets_the_environment_goes_before_it_and_the_command_line_before_both(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    file.write_text(
        'port = 9000\ngateway_port = 9001\nshards = 3\ndemo = false\nplayer_rate = 2.5\n[kafka]\nbootstrap_servers = "k:9092"\n'
    )
    monkeypatch.setenv("PALIO_GATEWAY_PORT", "9002")
    monkeypatch.setenv("PALIO_SHARDS", "4")
    settings = load_settings(shards=5)
    assert (settings.port, settings.gateway_port, settings.shards, settings.demo) == (9000, 9002, 5, False)
    assert (settings.player_rate, settings.kafka_bootstrap_servers) == (2.5, "k:9092")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("portt = 1", r"palio\.toml: portt: .*unknown name; did you mean PALIO_PORT\?$"),
        ("[kafka]\nservers = 1", r"palio\.toml: kafka_servers: .*unknown name"),
        ("PORT = 9000", r"palio\.toml: PORT: .*unknown name; did you mean PALIO_PORT\?$"),
        ('port = "http"', r"^PALIO_PORT: expected integer, 1 to 65535, got 'http'$"),
        ("port = ", r"^PALIO_CONFIG: cannot read .*palio\.toml: Invalid value"),
        ("config = 'another.toml'", r"palio\.toml: config: .*unknown name"),
    ],
)
def test_a_wrong_line_of_the_file_is_named(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_settings()


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"^PALIO_CONFIG: cannot read .*palio\.toml: .*No such file"):
        load_settings()


def test_a_file_with_secrets_is_for_its_owner_alone(file: Path) -> None:
    secret = "a secret in a file, long enough for all"
    file.write_text(f'jwt_secret = "{secret}"')
    file.chmod(0o640)
    with pytest.raises(SettingsError, match=r"chmod 600\), since it has jwt_secret$") as error:
        load_settings()
    assert secret not in str(error.value)
    file.chmod(0o600)
    told = load_settings().jwt_secret
    assert told is not None
    assert told.get_secret_value() == secret
