"""A tournament that exists, as the entrypoints remember it."""

from __future__ import annotations


class Known:
    """A tournament that exists, with what a submission needs to know of it."""

    __slots__ = ("key", "partition", "public", "text", "tournament_id")

    def __init__(self, tournament_id: int, partition: int, public: bool | None) -> None:
        self.tournament_id = tournament_id
        self.text = str(tournament_id)
        self.key = self.text.encode()
        self.partition = partition
        self.public = public  # None: not asked yet
