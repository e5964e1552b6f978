import pytest

from serve_app.http.headers import ONLY_ONCE, attachment, combined, preferred_wait_s
from serve_app.http.problems import Problem


def test_lists_in_several_lines_are_one_list() -> None:
    raw = [(b"if-none-match", b'"a"'), (b"prefer", b"wait=1"), (b"if-none-match", b'"b"')]
    assert combined(raw) == {b"if-none-match": b'"a", "b"', b"prefer": b"wait=1"}


@pytest.mark.parametrize("name", sorted(ONLY_ONCE))
def test_what_may_come_once_must_not_come_twice(name: bytes) -> None:
    with pytest.raises(Problem) as raised:
        combined([(name, b"a"), (b"x", b"y"), (name, b"a")])
    assert (raised.value.status, raised.value.code) == (400, "malformed")


@pytest.mark.parametrize(
    ("prefer", "wait_s"),
    [
        (None, 5),
        ("wait=2", 2),
        ("respond-async, wait=2.5", 2.5),
        ('WAIT="3" ; x', 3),
        ("wait = 0", 0),
        ("wait=60", 10),
        ("wait=-1", 5),
        ("wait=x", 5),
        ("await=2", 5),
        ("wait=" + "9" * 5000, 5),
    ],
)
def test_how_long_a_client_prefers_to_wait(prefer: str | None, wait_s: float) -> None:
    assert preferred_wait_s({} if prefer is None else {"prefer": prefer}, 5, 10) == wait_s


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("cup-7.csv", 'attachment; filename="cup-7.csv"'),
        ("größe.csv", "attachment; filename=\"gr--e.csv\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.csv"),
        ('a"\r\nx: y.csv', "attachment; filename=\"a---x--y.csv\"; filename*=UTF-8''a%22%0D%0Ax%3A%20y.csv"),
    ],
)
def test_a_file_is_named_for_old_clients_and_whole(name: str, header: str) -> None:
    assert attachment(name) == header
