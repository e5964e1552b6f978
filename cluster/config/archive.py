"""The settings of the archive: where it is, how long files are kept, when tournaments leave the records for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from cluster.config.payouts import PayoutSettings

if TYPE_CHECKING:
    from actors.archiver.archiver import ArchiveRules


class ArchiveSettings(PayoutSettings):
    """See the module."""

    archive_url: SecretStr | None = Field(
        None,
        min_length=1,
        description="Where finished tournaments are archived: a folder, or `s3://bucket/prefix?region=...`; without it, embedded, "
        "a folder in the data directory, and on servers nowhere: they wait in the records.",
    )
    archive_timeout_s: float = Field(20, gt=0, le=600, description="Longest time of one call to the archive.")
    archive_keep_days: float = Field(
        0,
        ge=0,
        description="Days after the finish until a tournament's file is deleted, with the tournament if it has left the records; 0: never.",
    )
    archive_leave_days: float = Field(
        0,
        ge=0,
        description="Days after the finish until a tournament leaves the records, archived and read back; 0: never.",
    )

    @field_validator("archive_url")
    @classmethod
    def _place(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            from storage.archive.files import check_url

            check_url(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _leave_before_they_go(self) -> Self:
        if self.archive_keep_days and self.archive_leave_days > self.archive_keep_days:
            raise ValueError(
                f"PALIO_ARCHIVE_LEAVE_DAYS: expected at most PALIO_ARCHIVE_KEEP_DAYS ({self.archive_keep_days:g}), "
                f"got {self.archive_leave_days:g}"
            )
        return self

    def archive_rules(self) -> ArchiveRules:
        """How long what stays where."""
        from actors.archiver.archiver import ArchiveRules

        return ArchiveRules(keep_days=self.archive_keep_days, leave_days=self.archive_leave_days)
