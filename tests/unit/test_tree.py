"""tests/unit has the tree of the code: a module with logic has a test of its own there, or stands here beside what judges it whole.

Real servers, Ray and several processes are judged by suites that start them: a unit test with stand-ins for all of that would only
say the module again. Benchmarks (`scripts/benchmarks`) are left out: they measure, and promise nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "actors",
    "storage",
    "serve_app",
    "cluster",
    "scripts/cli",
    "scripts/client",
    "scripts/demo",
    "scripts/local_servers",
)
FEWEST_STATEMENTS = 10  # within functions; with less a module declares

JUDGED_BY = {
    "tests/contract/test_archive_files.py": ["storage/archive/files.py"],
    "tests/contract/test_archive_index.py": ["storage/records/sql/archive_index.py"],
    "tests/contract/test_attempts.py": ["storage/records/sql/attempts.py"],
    "tests/contract/test_metrics.py": ["storage/metrics/parquet.py"],
    "tests/contract/test_metrics_influx.py": ["storage/metrics/influx.py", "scripts/local_servers/influx.py"],
    "tests/contract/test_payouts.py": ["storage/payouts/ledger_file.py", "storage/payouts/webhook.py"],
    "tests/contract/test_prize_ledger.py": ["storage/records/sql/prize_ledger.py"],
    "tests/contract/test_notice_channels.py": [
        "storage/channels/email.py",
        "storage/channels/http.py",
        "storage/channels/push.py",
        "storage/channels/webhook.py",
    ],
    "tests/contract/test_notices.py": ["storage/records/seal.py", "storage/records/sql/notices.py"],
    "tests/contract/test_read_model_redis.py": ["storage/read_model/redis.py"],
    "tests/contract/test_records.py": ["storage/records/sql/database.py"],
    "tests/contract/test_records_migrations.py": [
        "storage/records/migrations/versions/v0001_first.py",
        "storage/records/migrations/versions/v0004_prizes.py",
        "storage/records/migrations/versions/v0005_notices.py",
        "storage/records/migrations/versions/v0007_archive.py",
        "storage/records/sql/migrate.py",
    ],
    "tests/contract/test_records_moves.py": ["storage/records/mysql/moves.py"],
    "tests/contract/test_records_mysql_servers.py": [
        "storage/records/mysql/open.py",
        "storage/records/mysql/primary.py",
        "storage/records/mysql/shard.py",
        "storage/records/mysql/sharded.py",
        "scripts/local_servers/mysql.py",
    ],
    "tests/contract/test_redis_nodes.py": [
        "storage/redis_client/check.py",
        "storage/redis_client/cluster.py",
        "storage/redis_client/connection.py",
        "scripts/local_servers/redis.py",
    ],
    "tests/contract/test_score_log_kafka.py": [
        "storage/score_log/kafka/client.py",
        "storage/score_log/kafka/log.py",
        "storage/score_log/kafka/producer.py",
        "storage/score_log/kafka/producer_ids.py",
        "storage/score_log/kafka/reader.py",
        "scripts/local_servers/kafka.py",
    ],
    "tests/contract/test_score_log_kafka_topics.py": ["storage/score_log/kafka/topics.py"],
    "tests/contract/test_score_log_sqlite.py": [
        "storage/score_log/sqlite/log.py",
        "storage/score_log/sqlite/writer.py",
    ],
    "tests/contract/test_updates_broker.py": ["storage/updates/broker.py", "storage/updates/embedded.py"],
    "tests/contract/test_updates_redis.py": [
        "storage/redis_client/channel_connection.py",
        "storage/updates/redis.py",
        "storage/updates/redis_subscription.py",
    ],
    "tests/integration/cluster/test_actors.py": [
        "cluster/actors/director.py",
        "cluster/actors/ingest.py",
        "cluster/actors/tournament.py",
    ],
    "tests/integration/cluster/test_servers_cli.py": ["scripts/local_servers/fleet.py"],
    "tests/integration/test_archive.py": ["cluster/actors/archiver.py"],
    "tests/integration/test_analytics.py": ["cluster/actors/analytics.py"],
    "tests/integration/test_notifications.py": ["cluster/actors/notifier.py"],
    "tests/integration/test_prizes.py": ["cluster/actors/prizes.py"],
    "tests/integration/test_redeploy.py": ["cluster/serve/deployments.py"],
    "tests/integration/test_restart.py": ["cluster/serve/stopping.py"],
    "tests/integration/test_start_errors.py": ["cluster/startup/bootstrap.py"],
    "tests/unit/actors/domain/life/test_freeze.py": ["actors/domain/shown.py"],
    "tests/unit/actors/prizes/test_settler.py": ["actors/domain/prizes/erasure.py"],
    "tests/unit/actors/domain/test_fold.py": [
        "actors/domain/commands/create.py",
        "actors/domain/commands/edit.py",
        "actors/domain/commands/taking_part.py",
        "actors/domain/life/status.py",
    ],
    "tests/unit/serve_app/handlers/users/test_notifications.py": ["serve_app/http/notification_schemas.py"],
    "tests/unit/scripts/cli/test_doctor.py": ["cluster/checkup.py"],
    "tests/unit/serve_app/standards/test_cloud_events.py": [
        "serve_app/standards/cloud_event_handlers.py",
        "serve_app/standards/submissions.py",
    ],
    "tests/unit/actors/analytics/test_collector.py": ["actors/analytics/points.py"],
    "tests/unit/serve_app/handlers/test_analytics.py": ["serve_app/services/analytics.py"],
    "tests/unit/serve_app/api/test_app.py": ["serve_app/api/"],  # a folder: its calls and pages, as clients see them
}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The outermost ones, but those that a Protocol only declares."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif not (isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)):
            yield from functions(node)


def has_logic(module: Path) -> bool:
    bodies = [function.body for function in functions(ast.parse(module.read_text(encoding="utf-8")))]
    found = [each for body in bodies for statement in body for each in ast.walk(statement)]
    return sum(isinstance(each, ast.stmt) and not _is_text(each) for each in found) >= FEWEST_STATEMENTS


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def own_test(module: str) -> Path:
    folder, _, name = module.rpartition("/")
    return ROOT / "tests/unit" / folder / f"test_{name}"


def test_every_module_with_logic_has_a_test_of_its_own_or_says_what_judges_it() -> None:
    judged = [module for modules in JUDGED_BY.values() for module in modules]
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    named = {path.relative_to(ROOT).as_posix(): path for path in paths}
    assert len(named) > 150
    missing = [name for name, path in named.items() if not own_test(name).exists() and has_logic(path)]
    untold = [name for name in missing if not name.startswith(tuple(judged))]
    assert untold == [], "write tests/unit/<the same path>/test_<module>.py"
    needless = [module for module in judged if not any(name.startswith(module) for name in missing)]
    assert needless == [], "these are gone, declare only, or have a test of their own: take them out"


def test_what_judges_them_is_there() -> None:
    assert [test for test in JUDGED_BY if not (ROOT / test).is_file()] == []


def test_a_module_that_only_declares_has_no_logic(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    declared = "class Port(Protocol):\n" + "    def f(self) -> None:\n        x = 1\n        return\n" * 20
    few = "def f():\n    'text'\n" + "    x = 1\n" * (FEWEST_STATEMENTS - 1)
    for text, expected in ((declared, False), (few, False), (few + "    return\n", True)):
        module.write_text(text, encoding="utf-8")
        assert has_logic(module) is expected
    nested = "class A:\n    def f(self):\n        if x:\n" + "            y = 1\n" * (FEWEST_STATEMENTS - 1)
    module.write_text(nested, encoding="utf-8")
    assert has_logic(module)
