"""All calls of the contract for one entrypoint: makes the handlers from the services, each with what it uses."""

from __future__ import annotations

from typing import Final

from serve_app.formats.importing import ImportHandlers
from serve_app.handlers.analytics import AnalyticsHandlers
from serve_app.handlers.archive import ArchiveHandlers
from serve_app.handlers.batches import BatchHandlers
from serve_app.handlers.callers import Callers
from serve_app.handlers.errors import Errors
from serve_app.handlers.exports import ExportHandlers
from serve_app.handlers.invitations import InvitationHandlers
from serve_app.handlers.listing import ListHandlers
from serve_app.handlers.operators.dead_letters import DeadLetterHandlers
from serve_app.handlers.operators.overview import OverviewHandlers
from serve_app.handlers.participants import ParticipantHandlers
from serve_app.handlers.prizes import PrizeHandlers
from serve_app.handlers.reads import ReadHandlers
from serve_app.handlers.scores import ScoreHandlers
from serve_app.handlers.series import SeriesHandlers
from serve_app.handlers.system.discovery import DiscoveryHandlers
from serve_app.handlers.system.documents import DocumentHandlers
from serve_app.handlers.system.health import HealthHandlers
from serve_app.handlers.tournaments import TournamentHandlers
from serve_app.handlers.users.erasure import ErasureHandlers
from serve_app.handlers.users.notifications import NotificationHandlers
from serve_app.http.messages import Handler
from serve_app.services.commands import Commands
from serve_app.services.container import Services
from serve_app.standards.cloud_event_handlers import CloudEventHandlers
from serve_app.standards.foreign_ids import ForeignIdsFile
from serve_app.standards.lti_handlers import LtiHandlers
from serve_app.standards.lti_tokens import open_tokens
from serve_app.standards.submissions import Submissions
from serve_app.standards.xapi_handlers import XapiHandlers


class Handlers:
    """`table` has each call by its name in `routes`: it answers whatever goes wrong. `scores` is for the gateway's fast path."""

    def __init__(self, services: Services, entrypoint: str) -> None:
        config, owners, reads, waiters = services.config, services.owners, services.reads, services.waiters
        self.errors: Final = Errors(entrypoint)
        self.callers: Final = (callers := Callers(services.authenticator, services.limiter))
        commands = Commands(services.appends, waiters, services.signer, reads, config, entrypoint)
        self.scores: Final = ScoreHandlers(callers, reads, services.appends, waiters, config, entrypoint)
        batches = BatchHandlers(callers, reads, owners, services.appends, waiters, services.signer, config, entrypoint)
        submissions = Submissions(callers, reads, services.appends, self.scores, config, entrypoint)
        foreign_ids = ForeignIdsFile(config.foreign_ids)
        imports = ImportHandlers(batches, foreign_ids, config)
        events = CloudEventHandlers(submissions)
        xapi = XapiHandlers(submissions, foreign_ids)
        tokens = open_tokens(config, services.signer, services.clock_ms)
        lti = LtiHandlers(submissions, services.records, tokens, foreign_ids, config.lti_url)
        tournaments = TournamentHandlers(
            callers, reads, owners, commands, services.log_clock, config, services.clock_ms
        )
        participants = ParticipantHandlers(callers, reads, commands, services.signer, config, services.clock_ms)
        invitations = InvitationHandlers(callers, reads, owners, commands, services.signer, config, services.clock_ms)
        series = SeriesHandlers(callers, reads, owners, services.records)
        tables = ReadHandlers(callers, reads, entrypoint)
        prizes = PrizeHandlers(callers, reads, owners, commands, services.prizes, config, services.clock_ms)
        lists = ListHandlers(callers, reads, services.records, services.clock_ms)
        exports = ExportHandlers(callers, reads, services.clock_ms)
        archives = ArchiveHandlers(callers, reads, services.archives, services.archive, exports.places)
        discovery = DiscoveryHandlers(callers, config, services.clock_ms)
        erasure = ErasureHandlers(callers, commands, services.records, services.notices)
        notifications = NotificationHandlers(callers, services.notices, config)
        letters = DeadLetterHandlers(callers, reads, services.log, services.appends, waiters, config, entrypoint)
        overview = OverviewHandlers(
            callers,
            reads,
            services.records,
            services.notices,
            services.log,
            services.operations,
            services.clock_ms,
        )
        analytics = AnalyticsHandlers(callers, reads, services.analytics, services.clock_ms)
        documents = DocumentHandlers(callers, config)
        health = HealthHandlers(services.log, owners, waiters)
        self.table: Final[dict[str, Handler]] = {
            handler.__name__: self.errors.answered(handler)
            for handler in (
                self.scores.submit_score,
                batches.submit_batch,
                batches.join_batch,
                imports.import_file,
                events.submit_events,
                xapi.submit_statements,
                xapi.put_statement,
                xapi.xapi_about,
                lti.lti_token,
                lti.line_items,
                lti.line_item,
                lti.submit_lti_score,
                lti.line_item_results,
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
                lists.calendar,
                exports.export,
                archives.archive,
                archives.list_archives,
                erasure.erase_user,
                notifications.notifications,
                notifications.set_notifications,
                letters.dead_letters,
                letters.replay_dead_letters,
                overview.placed_tournaments,
                overview.placed_tournament,
                overview.running_actors,
                overview.server_health,
                overview.all_history,
                overview.all_notices,
                analytics.analytics_summary,
                analytics.analytics_series,
                analytics.analytics_tournament,
                analytics.analytics_picture,
                discovery.root,
                discovery.demo_player,
                documents.asyncapi,
                documents.list_schemas,
                documents.message_schema,
                health.healthz,
                health.readyz,
            )
        }
