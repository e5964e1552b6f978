"""A tournament by the letter of contract.md and the ten rules, in plain dicts and lists: what the fold must agree with.

Slow and short on purpose. It shares nothing with the fold but the message types. `apply` returns what happened as tuples:
(kind, outcome, reason) for a record, ("status", before, after, time_ms) for a change of status.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec

from actors.domain.messages import (
    ApprovePrizes,
    Begin,
    Cancel,
    Command,
    Create,
    Disqualify,
    Done,
    Edit,
    End,
    Erase,
    ExtraTime,
    Invite,
    Join,
    Leave,
    Message,
    Open,
    Reinstate,
    Reopen,
    Reveal,
    RevokeInvitation,
    Standings,
    Start,
    Written,
)
from tests.support.naive_scoring import score_of, whole
from tests.support.submissions import Sent

HANDLERS = {"begin": "_begin_own"}  # the name is taken
LATER = ("window_ms", "freeze_ms", "ends_when")
OF_RULES_3 = (
    "begin",
    "done",
    "extra_time",
    "disqualify",
    "reinstate",
    "reopen",
    "reveal",
    "invite",
    "revoke_invitation",
    "approve_prizes",
    "open",
    "written",
    "standings",
)
LARGEST = 9_999_999_999  # 99,999,999.99

Happened = tuple[Any, ...]


class NaiveTournament:
    def __init__(self, create: Create, time_ms: int) -> None:
        self.spec: dict[str, Any] = msgspec.to_builtins(create.spec)
        self.rules = create.rules_version
        self.request = create.request_digest
        self.status = "scheduled"
        self.now = time_ms
        self.version = 1
        self.finished_ms: int | None = None
        self.revision = 0
        self.started = False
        self.frozen: list[tuple[int, int]] | None = None  # the table as it was frozen
        self.revealed = False
        self.settled = False  # its prizes are approved
        self.late_ms = 0  # until when somebody with extra time is waited for, beyond the end
        self.people: dict[int, dict[str, Any]] = {}  # by user id, all who ever joined
        self.commands: set[str] = set()  # ids of the commands that were applied
        self.invitations: dict[str, dict[str, Any]] = {}  # by id
        self.records = 0  # how many it was given
        self.reached = 0  # counts the times that somebody's score changed
        # of one that opens others: what it opened and for when, which final tables have moved a league's players, what is to be written
        self.occurrences: list[int] = []
        self.decided = 0
        self.missed = 0
        self.errands: list[tuple[str, int, int, int]] = []  # kind, board or start, tier or 0, user or 0
        self.written = 0
        self.happened: list[Happened] = [("create", "applied", "")]
        self._let_time_pass()

    # -- what people see ----------------------------------------------------------------------------------------------

    def active(self) -> list[int]:
        return [user for user, person in self.people.items() if person["active"]]

    def table(self) -> list[int]:
        """User ids in listing order: by score and subscore, equals in the order in which they were reached."""
        return [user for user in self._everyone() if self.people[user]["active"] and not self.people[user]["out"]]

    def _everyone(self) -> list[int]:
        """The same with those who are in no table now."""
        ranked = [user for user, person in self.people.items() if person["score"] is not None]
        return sorted(ranked, key=lambda user: (self.worth(user), -self.people[user]["reached"]), reverse=True)

    def shown_table(self) -> list[tuple[int, int]]:
        """(user, score) as the public sees it."""
        if self.frozen is None or self.status == "finished":
            return [(user, self.people[user]["score"]) for user in self.table()]
        return [(user, score) for user, score in self.frozen if user in self.active() and not self.people[user]["out"]]

    def rank(self, user: int, table: list[int] | None = None) -> int:
        """Among all, or among those of a `table`."""
        table = self.table() if table is None else table
        better = [self.worth(other) for other in table if self.worth(other) > self.worth(user)]
        if self.spec["ties"] == "first":
            return table.index(user) + 1
        return 1 + (len(better) if self.spec["ties"] == "shared" else len(set(better)))

    def worth(self, user: int) -> tuple[int, int]:
        person = self.people[user]
        return self.worth_of(person["score"], person["subscore"])

    def worth_of(self, score: int, subscore: int | None) -> tuple[int, int]:
        second = self.spec["subscore"]["order"] if "subscore" in self.spec else "desc"
        return score if self.spec["order"] == "desc" else -score, (subscore or 0) * (1 if second == "desc" else -1)

    def boards(self, user: int) -> dict[str, dict[str, Any]]:
        """Where a user stands in each group."""
        shown = {}
        for board, group in self.people[user]["groups"].items():
            table = [other for other in self.table() if self.people[other]["groups"].get(board) == group]
            rank = self.rank(user, table) if user in table else None
            shown[board] = {"group": group, "rank": rank, "of": len(table)}
        return shown

    def groups(self, board: str) -> list[tuple[str, int, int, int | None]]:
        """Of each group: its name, how many take part, how many have a rank, and the best of these."""
        inside: dict[str, list[int]] = {}
        for user in self.active():
            if board in self.people[user]["groups"]:
                inside.setdefault(self.people[user]["groups"][board], []).append(user)
        ranked = {name: [user for user in self.table() if user in users] for name, users in inside.items()}
        rows = [(name, len(inside[name]), len(best), best[0] if best else None) for name, best in ranked.items()]
        return sorted(rows, key=lambda row: (-row[1], row[0]))

    def teams(self) -> list[tuple[str, int | None, int, int]]:
        """Of each team: its name, its score, how many take part, how many scores it is of. Best first."""
        rule, rows = self.spec["teams"], []
        for name, count, _, _ in self.groups("team"):
            users = [user for user in self.table() if self.people[user]["groups"].get("team") == name]
            scores = [self.people[user]["score"] for user in users[: rule.get("best")]]
            mean = rule["score"] == "best_mean"
            total = whole(Fraction(sum(scores), len(scores) if mean else 1)) if scores else None
            rows.append((name, total, count, len(scores)))
        return sorted(rows, key=lambda row: (row[1] is None, -self.worth_of(row[1] or 0, None)[0], row[0]))

    # -- what happens -------------------------------------------------------------------------------------------------

    def apply(self, time_ms: int, message: Message) -> list[Happened]:
        """A control record or a tick."""
        if isinstance(message, Command) and self.rules < 3 and _is_of_rules_3(message):
            self.happened = [(message.kind, "refused", "older_rules")]
            return self.happened
        self._begin(time_ms)
        if isinstance(message, Create):
            same = message.request_digest == self.request
            self.happened.append(("create", "applied" if same else "refused", "" if same else "idempotency_conflict"))
        elif isinstance(message, Command):
            kind = message.kind
            if message.command_id in self.commands:
                self.happened.append((kind, "ignored", "duplicate"))
            else:
                self._order(time_ms, kind, message)
        return self.happened

    def _order(self, time_ms: int, kind: str, message: Command) -> None:
        place, was_over, now, before = len(self.happened), self.over, self.now, self._facts()
        if was_over:
            self.now = max(now, time_ms)
        reason = getattr(self, HANDLERS.get(kind, f"_{kind}"))(message)
        self.happened.insert(place, (kind, "refused" if reason else "applied", reason))
        changed = self._facts() != before
        if was_over and not changed:
            self.now = now
        elif was_over:
            self.revision += 1
        if not reason and (not self.over if self.rules < 3 else changed or not was_over):
            self.commands.add(message.command_id)
        self._settle()

    def _facts(self) -> Any:
        """What may change after the end."""
        people = [(person["out"], person["name"], dict(person["groups"])) for person in self.people.values()]
        return self.status, self.frozen, self.settled, people

    def score(self, time_ms: int, sent: Sent) -> list[Happened]:
        self._begin(time_ms)
        reason = self._score(sent)
        self.happened.append(("score", "ignored" if reason else "applied", reason))
        if not reason:
            self._settle()
        return self.happened

    @property
    def over(self) -> bool:
        return self.status in ("finished", "cancelled")

    def _begin(self, time_ms: int) -> None:
        self.happened = []
        self.records += 1
        if not self.over:  # what meets a tournament that is over leaves it untouched
            self.now = max(self.now, time_ms)
            self._let_time_pass()

    def _let_time_pass(self) -> None:
        timed = self.spec["type"] == "scheduled" and "recurrence" not in self.spec
        if self.status == "scheduled" and timed and self.spec["starts_ms"] <= self.now:
            enough = len(self.active()) >= self.spec["min_participants"]
            self._become("running" if enough else "cancelled", self.spec["starts_ms"])
        if self.status == "running":
            freeze_ms, ends_ms = self.spec.get("freeze_ms"), self.spec["ends_ms"]
            if freeze_ms and not self.revealed and self.frozen is None and max(ends_ms - freeze_ms, 0) <= self.now:
                self.frozen = [(user, self.people[user]["score"]) for user in self._everyone()]
                self.happened.append(("table", "frozen", "", max(ends_ms - freeze_ms, 0)))
            if max(ends_ms, self.late_ms) <= self.now:
                self._become("finished", max(ends_ms, self.late_ms))

    def _closes(self, person: dict[str, Any]) -> int | None:
        ends: int = self.spec["ends_ms"]
        if "window_ms" in self.spec:
            if person["began"] is None:
                return None
            ends = min(ends, person["began"] + self.spec["window_ms"])
        return ends + int(person["extra"])

    def _latest(self) -> int:
        waited = [p for p in self.people.values() if p["extra"] and p["active"] and not p["done"] and not p["out"]]
        latest = max([self._closes(person) or 0 for person in waited], default=0)
        return latest if latest > self.spec["ends_ms"] else 0

    def _settle(self) -> None:
        """The end before time; and after it, once nobody is left who has more time."""
        if self.status != "running":
            return
        was_late, self.late_ms = self.late_ms, self._latest()
        if (was_late and max(self.spec["ends_ms"], self.late_ms) <= self.now) or self._goal():
            self._become("finished", self.now)

    def _goal(self) -> bool:
        wanted = self.spec.get("ends_when")
        if not wanted:
            return False
        if wanted.get("all_done"):
            people = [self.people[user] for user in self.active()]
            return bool(people) and all(person["done"] or person["out"] for person in people)
        aim = self.worth_of(wanted["target_score"], None)[0]
        at_it = [user for user in self.table() if self.worth(user)[0] >= aim]
        return len(at_it) >= int(wanted.get("count", 1))

    def _become(self, status: str, time_ms: int) -> None:
        self.happened.append(("status", self.status, status, time_ms))
        if status == "running":
            self.spec["starts_ms"] = time_ms
            self.started = True
            if self.spec["type"] == "instant":
                self.spec["ends_ms"] = time_ms + self.spec["duration_ms"]
            self.late_ms = self._latest()
        else:
            self.finished_ms = time_ms
            self.late_ms = 0
            if self.rules < 3:
                self.commands.clear()  # every command is now refused, or changes nothing
            if status == "finished":
                self.spec["ends_ms"] = min(self.spec["ends_ms"], time_ms)
        self.status = status

    def _score(self, sent: Sent) -> str:
        user, event_id = sent.user, sent.event_id
        if self.status != "running":
            return "not_running" if self.status == "scheduled" else "ended"
        if user not in self.active():
            return "not_joined"
        if self._opens_others():
            return "not_scored"
        person = self.people[user]
        if person["out"]:
            return "disqualified"
        closes = self._closes(person)
        if "window_ms" in self.spec and person["began"] is None:
            return "not_begun"
        if closes is not None and closes <= self.now:
            return "window_over" if "window_ms" in self.spec else "ended"
        if event_id in person["events"]:
            return "duplicate"
        if person["attempts"] >= self.spec["max_attempts"]:
            return "attempts_used"
        if person["done"]:
            return "done"
        came_to = score_of(self.spec, sent)
        if came_to is None:
            return "result_invalid"
        old, policy = (person["score"], person["subscore"]), self.spec["score_policy"]
        if old[0] is None or policy == "last":
            new = came_to
        elif policy == "best":
            new = max(old, came_to, key=lambda pair: self.worth_of(*pair))
        elif policy == "sum":
            new = old[0] + came_to[0], None if came_to[1] is None else old[1] + came_to[1]
        else:
            new = old
        if abs(new[0]) > LARGEST or abs(new[1] or 0) > LARGEST:
            return "out_of_range"
        person["events"].add(event_id)
        person["attempts"] += 1
        if "ends_when" in self.spec and person["attempts"] >= self.spec["max_attempts"]:
            person["done"] = True
        if new != old:
            self.reached += 1
            person |= {"score": new[0], "subscore": new[1], "reached": self.reached, "scored_ms": self.now}
        return ""

    def _join(self, join: Join) -> str:
        user = int(join.user_id)
        first = user not in self.active()
        reason = self._closed(join) or self._take_in(join)
        if not reason and self._opens_others():
            changed = join.name is not None or isinstance(join.attributes, dict)
            self._place(user, tell=(first or changed) and not self.over)
        return reason

    def _closed(self, join: Join) -> str:
        if self.over:
            return ""
        if join.placed is not True and ("cohort" in self.spec or "tier" in self.spec.get("series", {})):
            return "not_joinable"
        if "recurrence" not in self.spec:
            return ""
        if "league" not in self.spec:
            return "not_joinable"
        at, until = self._undecided(), self.spec["recurrence"]["duration_ms"]
        if at is None or self.now >= (at if self.spec["join_until"] == "start" else at + until):
            return "registration_closed"
        return ""

    def _opens_others(self) -> bool:
        return bool(self.spec.keys() & {"recurrence", "cohorts"})

    def _undecided(self) -> int | None:
        """The first occurrence of a league that has not moved anybody yet."""
        return min((at for at in self.occurrences if at > self.decided), default=None)

    def _place(self, user: int, *, tell: bool) -> None:
        """On which board somebody lands, or in which table of a league."""
        person, place, tier = self.people[user], None, 0
        if "league" in self.spec:
            place = person["placed"] if self.over else self._undecided()
            tell = tell or place != person["placed"]
            person["placed"] = place
            tier = person["tier"] or self.spec["league"]["tiers"]
        else:
            size = self.spec["cohorts"]["size"]
            if person["seat"] is None:
                person["seat"], tell = sum(other["seat"] is not None for other in self.people.values()), True
                if person["seat"] % size == 0:
                    self.errands.append(("open", person["seat"] // size + 1, 0, 0))
            place = person["seat"] // size + 1
        if tell and place is not None:
            self.errands.append(("join", place, tier, user))

    def _open(self, message: Open) -> str:
        if "recurrence" not in self.spec:
            return "no_series"
        if self.over:
            return "already_over"
        last = self.occurrences[-1] if self.occurrences else 0
        if message.after_ms != last or message.starts_ms <= last:
            return "stale"
        room = self.spec["recurrence"].get("ahead", 1) if self.spec["type"] == "scheduled" else 0
        if message.starts_ms > self.now and sum(at > self.now for at in self.occurrences) >= room:
            return "early"
        self.occurrences.append(message.starts_ms)
        self.missed += message.missed
        tiers = range(1, self.spec["league"]["tiers"] + 1) if "league" in self.spec else [0]
        self.errands += [("open", message.starts_ms, tier, 0) for tier in tiers]
        return ""

    def _written(self, message: Written) -> str:
        if not self._opens_others():
            return "no_family"
        if self.over:
            return "already_over"
        while self.errands and self.written < message.upto:
            self.errands.pop(0)
            self.written += 1
        return ""

    def _standings(self, message: Standings) -> str:
        if "league" not in self.spec:
            return "no_league"
        if self.over:
            return "already_over"
        if message.starts_ms != self._undecided():
            return "stale"
        self.decided = message.starts_ms
        for user, tier in message.moves:
            if int(user) in self.people and 1 <= tier <= self.spec["league"]["tiers"]:
                self.people[int(user)]["tier"] = tier
        return ""

    def _take_in(self, join: Join) -> str:
        user = int(join.user_id)
        person = self.people.get(user)
        if person and person["active"]:
            if reason := self._groups_reason(join, person):
                return reason
            if self.over and join.name not in (None, person["name"]):
                return "already_over"
            if join.name is not None:
                person["name"] = join.name
            person["groups"] |= self._groups(join)
            return ""
        late = self.status == "running" and self.spec["join_until"] == "start" and join.placed is not True
        if self.over or self._is_extra() or late:
            return "registration_closed"
        returns = self.rules == 1 and person is not None  # rules 1 let back whoever had been in
        removed = bool(person and person["removed"])
        needed = not join.invited and (removed or (self.spec["visibility"] == "private" and not returns))
        invitation = None
        if needed:
            if removed and not isinstance(join.invitation, str):
                return "removed"
            invitation = self.invitations.get(str(join.invitation))
            if invitation is None or not self._good(invitation, user, person):
                return "invite_invalid"
        if reason := self._groups_reason(join, person):
            return reason
        if self.spec["capacity"] is not None and len(self.active()) >= self.spec["capacity"]:
            return "tournament_full"
        if invitation is not None:
            invitation["left"] -= 1
        if person is None:
            nothing = {
                "name": None,
                "score": None,
                "subscore": None,
                "reached": 0,
                "scored_ms": 0,
                "attempts": 0,
                "removed": 0,
            }
            later = {"began": None, "done": False, "extra": 0, "out": "", "seat": None, "tier": None, "placed": None}
            person = self.people[user] = {**nothing, **later, "events": set(), "groups": {}, "joined_ms": self.now}
        person["groups"] |= self._groups(join)
        person |= {"active": True, "removed": 0}
        if join.name is not None:
            person["name"] = join.name
        full = len(self.active()) == self.spec["capacity"]
        if self.status == "scheduled" and self.spec["type"] == "instant" and full:
            self._become("running", self.now)
        return ""

    def _groups(self, join: Join) -> dict[str, str]:
        return join.attributes if isinstance(join.attributes, dict) else {}

    def _groups_reason(self, join: Join, person: dict[str, Any] | None) -> str:
        for board, group in self._groups(join).items():
            if board not in self.spec.get("boards", []):
                return "invalid"
            before = person["groups"].get(board) if person else None
            if before not in (None, group) and not join.invited:
                return "attributes_fixed"
            if person and before != group and self.over:
                return "already_over"
        return ""

    def _leave(self, leave: Leave) -> str:
        if self.over:
            return "already_over"
        person = self.people.get(int(leave.user_id))
        if person and person["active"]:
            self._take_away(int(leave.user_id), person)
        if person:
            person |= {"active": False, "removed": self.records if leave.removed is True else person["removed"]}
        return ""

    def _take_away(self, user: int, person: dict[str, Any]) -> None:
        if person["seat"] is not None:
            self.errands.append(("leave", person["seat"] // self.spec["cohorts"]["size"] + 1, 0, user))
        elif person["placed"] is not None and person["placed"] > self.decided:
            tier = person["tier"] or self.spec["league"]["tiers"]
            self.errands.append(("leave", person["placed"], tier, user))

    def _good(self, invitation: dict[str, Any], user: int, person: dict[str, Any] | None) -> bool:
        """Made for this user or for anyone, not used up, not too late, and given after the user was removed last."""
        mine = invitation["user"] in (None, user)
        in_time = invitation["until"] is None or self.now < invitation["until"]
        return (
            mine and in_time and invitation["left"] > 0 and invitation["record"] > (person["removed"] if person else 0)
        )

    def _invite(self, invite: Invite) -> str:
        if self.over:
            return "already_over"
        asked = {"user": invite.user_id and int(invite.user_id), "uses": invite.uses, "until": invite.expires_ms}
        known = self.invitations.get(invite.invitation)
        if known is None:
            self.invitations[invite.invitation] = {**asked, "left": invite.uses, "record": self.records}
            return ""
        return "" if asked.items() <= known.items() else "idempotency_conflict"

    def _revoke_invitation(self, revoke: RevokeInvitation) -> str:
        if self.over:
            return "already_over"
        return "" if self.invitations.pop(revoke.invitation, None) else "invitation_unknown"

    def _start(self, _: Start) -> str:
        if "recurrence" in self.spec or ("cohorts" in self.spec and self.spec["type"] == "instant"):
            return "refused"
        if self.status != "scheduled":
            return "not_scheduled"
        if len(self.active()) < self.spec["min_participants"]:
            return "too_few_participants"
        self._become("running", self.now)
        return ""

    def _end(self, _: End) -> str:
        if "recurrence" in self.spec:
            return "refused"
        if self.status != "running":
            return "not_running"
        self._become("finished", self.now)
        return ""

    def _cancel(self, _: Cancel) -> str:
        if self.over:
            return "already_over"
        self._become("cancelled", self.now)
        return ""

    def _edit(self, edit: Edit) -> str:
        given = msgspec.to_builtins(edit.changes)
        gone = {key for key, value in given.items() if value is None and key in LATER}
        changes = {key: value for key, value in given.items() if value is not None}
        instant = self.spec["type"] == "instant"
        if edit.if_version not in (None, self.version):
            return "version_mismatch"
        if self.over:
            return "already_over"
        if self.status == "running" and changes.keys() & {"starts_ms", "duration_ms", "min_participants"}:
            return "not_scheduled"
        if self.status == "running" and (changes.keys() | gone) & {"window_ms", "ends_when"}:
            return "not_scheduled"
        if "freeze_ms" in changes.keys() | gone and (self.revealed or self.frozen is not None):
            return "edit_not_allowed"
        timed = {"starts_ms", "ends_ms"} if self.status == "scheduled" else {"starts_ms"}
        if changes.keys() & (timed if instant else {"duration_ms"}):
            return "edit_not_allowed"
        if "capacity" in changes and changes["capacity"] < (self.spec["capacity"] or LARGEST):
            return "edit_not_allowed"  # only up; without a bound it cannot grow
        edited = {key: value for key, value in {**self.spec, **changes}.items() if key not in gone}
        if "recurrence" in self.spec and changes.keys() & {"starts_ms", "ends_ms", "duration_ms"}:
            return "invalid"
        if "cohorts" in self.spec and edited["min_participants"]:
            return "invalid"
        late = edited["type"] == "scheduled" and edited["join_until"] == "end"
        if "ends_when" in edited and edited.keys() & {"cohorts", "league"} and late:
            return "invalid"
        if self.rules > 1:
            if None not in (edited["starts_ms"], edited["ends_ms"]) and edited["ends_ms"] <= edited["starts_ms"]:
                return "invalid"
            if edited["min_participants"] > (edited["capacity"] or LARGEST):
                return "invalid"
            starts_now = self.status == "scheduled" and not instant and (edited["starts_ms"] or LARGEST**2) <= self.now
            if starts_now and len(self.active()) < edited["min_participants"]:
                return "too_few_participants"
        if edited["ends_ms"] is not None and edited["ends_ms"] <= max(edited["starts_ms"] or 0, self.now):
            return "edit_not_allowed"
        self.spec = edited
        self.version += 1
        self._let_time_pass()
        return ""

    def _is_extra(self) -> bool:
        return self.status == "running" and self.late_ms > 0 and bool(self.spec["ends_ms"] <= self.now)

    def _begin_own(self, begin: Begin) -> str:
        if "window_ms" not in self.spec:
            return "no_window"
        user = int(begin.user_id)
        if user not in self.active():
            return "participant_unknown"
        if self.status != "running":
            return "not_running"
        if self._opens_others():
            return "refused"
        person = self.people[user]
        if person["began"] is None:
            if self._is_extra():
                return "not_running"
            person["began"] = self.now
        return ""

    def _done(self, done: Done) -> str:
        if int(done.user_id) not in self.active():
            return "participant_unknown"
        if self.status != "running":
            return "not_running"
        if self._opens_others():
            return "refused"
        self.people[int(done.user_id)]["done"] = True
        return ""

    def _extra_time(self, extra: ExtraTime) -> str:
        if self.over:
            return "already_over"
        if int(extra.user_id) not in self.active():
            return "participant_unknown"
        if self._opens_others():
            return "refused"
        self.people[int(extra.user_id)]["extra"] = extra.extra_ms
        return ""

    def _disqualify(self, message: Disqualify) -> str:
        return self._judge(int(message.user_id), message.reason)

    def _reinstate(self, message: Reinstate) -> str:
        return self._judge(int(message.user_id), "")

    def _judge(self, user: int, reason: str) -> str:
        if user not in self.people:
            return "participant_unknown"
        if self.status == "cancelled":
            return "already_over"
        if self._opens_others():
            return "refused"
        self.people[user]["out"] = reason
        return ""

    def _erase(self, erase: Erase) -> str:
        person = self.people.get(int(erase.user_id))
        if person is not None:
            person["name"], person["groups"] = None, {}
        return ""

    def _approve_prizes(self, _: ApprovePrizes) -> str:
        if self.status != "finished":
            return "not_finished"
        if "prizes" not in self.spec:
            return "no_prizes"
        self.settled = True
        return ""

    def _reopen(self, reopen: Reopen) -> str:
        spec, ends = self.spec, None if reopen.ends_ms is msgspec.UNSET else reopen.ends_ms
        if not self.over:
            return "not_over"
        if self.settled:
            return "prizes_approved"
        if ends is None if self.started else (ends is not None and spec["starts_ms"] is None):
            return "invalid"
        if ends is not None and ends <= max(self.now, spec["starts_ms"] or 0):
            return "invalid"
        if not self.started:
            timed = spec["type"] == "scheduled" and "recurrence" not in spec
            if timed and ends is None and spec["ends_ms"] <= self.now:
                return "invalid"
            starts_now = timed and spec["starts_ms"] <= self.now
            if starts_now and len(self.active()) < spec["min_participants"]:
                return "too_few_participants"
        elif self._goal():
            return "goal_reached"
        if self.status == "finished":
            self.frozen, self.revealed = None, False
        before, self.status = self.status, "running" if self.started else "scheduled"
        if ends is not None:
            spec["ends_ms"] = ends
        self.finished_ms = None
        self.happened.append(("status", before, self.status, self.now))
        self._let_time_pass()
        return ""

    def _reveal(self, _: Reveal) -> str:
        if self.frozen is None or self.status == "finished":
            return "not_frozen"
        self.frozen, self.revealed = None, True
        return ""


def _is_of_rules_3(message: Command) -> bool:
    said = msgspec.to_builtins(message)
    newer_join = message.__class__ is Join and said.keys() & {"invitation", "attributes", "placed"}
    newer_edit = message.__class__ is Edit and said["changes"].keys() & set(LATER)
    return bool(said["type"] in OF_RULES_3 or newer_join or newer_edit)
