"""A tournament that exists, as the entrypoints remember it."""

from __future__ import annotations

from serve_app.services.submission_rules import SubmissionRules


class Known:
    """A tournament that exists, with what a submission needs to know of it."""

    __slots__ = ("key", "partition", "plain", "public", "rules", "text", "tournament_id")

    def __init__(self, tournament_id: int, partition: int, public: bool | None) -> None:
        self.tournament_id = tournament_id
        self.text = str(tournament_id)
        self.key = self.text.encode()
        self.partition = partition
        self.public = public  # None: not asked yet
        self.rules: SubmissionRules | None = None  # None: not asked yet; they never change
        self.plain = True  # until rules are known that want more than a score

    def learn(self, rules: SubmissionRules) -> None:
        """What it wants of submissions."""
        self.rules = rules
        self.plain = rules == SubmissionRules()
