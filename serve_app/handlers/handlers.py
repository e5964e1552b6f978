"""All calls of the contract for one entrypoint: makes the handlers from the services, each with what it uses."""

from __future__ import annotations

from typing import Final

from serve_app.handlers.analytics import AnalyticsHandlers
from serve_app.handlers.batches import BatchHandlers
from serve_app.handlers.callers import Callers
from serve_app.handlers.discovery import DiscoveryHandlers
from serve_app.handlers.erasure import ErasureHandlers
from serve_app.handlers.errors import Errors
from serve_app.handlers.health import HealthHandlers
from serve_app.handlers.invitations import InvitationHandlers
from serve_app.handlers.listing import ListHandlers
from serve_app.handlers.notifications import NotificationHandlers
from serve_app.handlers.participants import ParticipantHandlers
from serve_app.handlers.prizes import PrizeHandlers
from serve_app.handlers.reads import ReadHandlers
from serve_app.handlers.scores import ScoreHandlers
from serve_app.handlers.series import SeriesHandlers
from serve_app.handlers.tournaments import TournamentHandlers
from serve_app.http.messages import Handler
from serve_app.services.commands import Commands
from serve_app.services.container import Services


class Handlers:
    """`table` has each call by its name in `routes`: it answers whatever goes wrong. `scores` is for the gateway's fast path."""

    def __init__(self, services: Services, entrypoint: str) -> None:
        config, owners, reads, waiters = services.config, services.owners, services.reads, services.waiters
        self.errors: Final = Errors(entrypoint)
        self.callers: Final = (callers := Callers(services.authenticator, services.limiter))
        commands = Commands(services.appends, waiters, services.signer, reads, config, entrypoint)
        self.scores: Final = ScoreHandlers(callers, reads, services.appends, waiters, config, entrypoint)
        batches = BatchHandlers(callers, reads, owners, services.appends, services.signer, config, entrypoint)
        tournaments = TournamentHandlers(
            callers, reads, owners, commands, services.log_clock, config, services.clock_ms
        )
        participants = ParticipantHandlers(callers, reads, commands, services.signer, config, services.clock_ms)
        invitations = InvitationHandlers(callers, reads, owners, commands, services.signer, config, services.clock_ms)
        series = SeriesHandlers(callers, reads, owners, services.records)
        tables = ReadHandlers(callers, reads, entrypoint)
        prizes = PrizeHandlers(callers, reads, owners, commands, services.prizes, config, services.clock_ms)
        lists = ListHandlers(callers, reads, services.records)
        discovery = DiscoveryHandlers(callers, config, services.clock_ms)
        erasure = ErasureHandlers(callers, commands, services.records, services.notices)
        notifications = NotificationHandlers(callers, services.notices, config)
        analytics = AnalyticsHandlers(callers, reads, services.analytics, services.clock_ms)
        health = HealthHandlers(services.log, owners, waiters)
        self.table: Final[dict[str, Handler]] = {
            handler.__name__: self.errors.answered(handler)
            for handler in (
                self.scores.submit_score,
                batches.submit_batch,
                batches.join_batch,
                tournaments.create_tournament,
                tournaments.edit_tournament,
                tournaments.start_tournament,
                tournaments.end_tournament,
                tournaments.cancel_tournament,
                tournaments.reopen_tournament,
                tournaments.reveal_table,
                tournaments.history,
                participants.join,
                participants.leave,
                participants.begin,
                participants.done,
                participants.disqualify,
                participants.reinstate,
                participants.edit_participant,
                participants.participant,
                invitations.create_invitation,
                invitations.list_invitations,
                invitations.revoke_invitation,
                series.series,
                series.cohorts,
                tables.view,
                tables.rankings,
                tables.board_groups,
                tables.teams,
                prizes.prizes,
                prizes.preview_prizes,
                prizes.approve_prizes,
                prizes.revoke_prizes,
                prizes.claim_prizes,
                prizes.user_prizes,
                lists.list_tournaments,
                lists.user_tournaments,
                erasure.erase_user,
                notifications.notifications,
                notifications.set_notifications,
                analytics.analytics_summary,
                analytics.analytics_series,
                analytics.analytics_tournament,
                discovery.root,
                discovery.demo_player,
                health.healthz,
                health.readyz,
            )
        }
