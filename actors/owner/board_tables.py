"""Lists of groups and tables of teams, kept until their tournament's next record: many readers of one moment cost one pass."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from actors.owner.entity import Entity

MAX_TABLES: Final = 64  # the least recently read goes


class BoardTables:
    """See the module; `kept` counts what is held."""

    def __init__(self) -> None:
        self._tables: OrderedDict[tuple[int, str], tuple[tuple[int, int, str], Any]] = OrderedDict()

    @property
    def kept(self) -> int:
        """How many are held."""
        return len(self._tables)

    def get(self, entity: Entity, name: str, compute: Callable[[], Any]) -> Any:
        """What `compute` gives for this entity as it is now; `name` tells its tables apart."""
        key, moment = (entity.state.tournament_id, name), (entity.epoch, entity.state.offset, entity.status)
        found = self._tables.get(key)
        if found is None or found[0] != moment:
            found = self._tables[key] = moment, compute()
            if len(self._tables) > MAX_TABLES:
                self._tables.popitem(last=False)
        self._tables.move_to_end(key)
        return found[1]
