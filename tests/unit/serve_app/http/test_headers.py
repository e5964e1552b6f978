import pytest

from serve_app.http.headers import ONLY_ONCE, combined
from serve_app.http.problems import Problem


def test_lists_in_several_lines_are_one_list() -> None:
    raw = [(b"if-none-match", b'"a"'), (b"prefer", b"wait=1"), (b"if-none-match", b'"b"')]
    assert combined(raw) == {b"if-none-match": b'"a", "b"', b"prefer": b"wait=1"}


@pytest.mark.parametrize("name", sorted(ONLY_ONCE))
def test_what_may_come_once_must_not_come_twice(name: bytes) -> None:
    with pytest.raises(Problem) as raised:
        combined([(name, b"a"), (b"x", b"y"), (name, b"a")])
    assert (raised.value.status, raised.value.code) == (400, "malformed")
