import logging
from collections.abc import Iterator

import pytest

from serve_app.log_limit import LINES, MAX_CHARS, PERIOD_S, LogLimit


@pytest.fixture
def now_s() -> list[float]:
    return [0.0]


@pytest.fixture
def logger(caplog: pytest.LogCaptureFixture, now_s: list[float]) -> Iterator[logging.Logger]:
    made = logging.getLogger("test-log-limit")
    limit = LogLimit(lambda: now_s[0])
    made.addFilter(limit)
    yield made
    made.removeFilter(limit)


def test_a_few_lines_of_each_kind_pass_in_a_period_and_the_rest_is_counted(
    logger: logging.Logger, now_s: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    def tell(times: int) -> list[str]:
        caplog.clear()
        for number in range(times):
            logger.warning("heard %d", number)
        return [record.getMessage() for record in caplog.records]

    assert tell(LINES + 7) == [f"heard {number}" for number in range(LINES)]
    assert tell(3) == []
    logger.warning("another kind")
    assert len(caplog.records) == 1
    now_s[0] += PERIOD_S
    assert tell(2) == ["heard 0 (10 more like this were left out)", "heard 1"]


def test_exceptions_are_one_short_line(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    logger.error("failed\n", exc_info=ValueError("x" * 1000 + "\nforged line"))
    (record,) = caplog.records
    assert record.getMessage().startswith("failed: ValueError('xxx")
    assert len(record.getMessage()) <= MAX_CHARS
    assert "\n" not in record.getMessage()
    assert record.exc_info is None
