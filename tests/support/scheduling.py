"""Which tests one process runs after another when several run them (`scripts/test -n 2`)."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# The tests of these folders share what takes long to start, so one process runs all of a kind.
SHARING = {
    "tests/contract": "servers",
    "tests/e2e": "palio",
    "tests/integration": "palio",
    "tests/integration/cluster": "cluster",
}


def scope_of(nodeid: str) -> str:
    """What a test has to share a process with: its folder's kind, else its file."""
    file = nodeid.partition("::")[0]
    return SHARING.get(file.rpartition("/")[0], file)


class SharingScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist tells no types
    """xdist's own scheduling of scopes with other scopes. Its documentation names this method to be overridden."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)
