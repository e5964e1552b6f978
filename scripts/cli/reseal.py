"""What `scripts/palio reseal` does: writes every user's notification settings anew, encrypted with the newest secret."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from actors.domain.notices.settings import DEFAULTS
from cluster.config.settings import load_settings
from cluster.startup.data_check import check_made
from cluster.startup.ports import notices_of, open_records
from storage.ports import Notices, StorageError

PAGE: Final = 500


def reseal(data_dir: Path | None) -> int:
    """Do it, and print how many there were. Raises ValueError for records that do not answer, or are not there."""
    settings = load_settings(data_dir=data_dir)

    async def run() -> int:
        await check_made(settings)
        records = await open_records(settings)
        try:
            return await reseal_all(notices_of(settings, records))
        finally:
            await records.close()

    try:
        written = asyncio.run(run())
    except StorageError as error:
        raise ValueError(str(error)) from error
    print(f"palio: the notification settings of {written} users are encrypted with the newest secret")
    return 0


async def reseal_all(notices: Notices) -> int:
    """Write all settings anew; those that are changed meanwhile are written by whoever changes them."""
    written = after = 0
    while page := await notices.settings_after(after, PAGE):
        for stored in page:
            if stored.settings == DEFAULTS:  # as is what no secret opens: that stays as it is
                continue
            written += await notices.put_settings(stored.user_id, stored.settings, stored.version)
        after = page[-1].user_id
    return written
