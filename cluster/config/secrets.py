"""Secrets of an embedded Palio, made once in the data directory, which is its owner's alone."""

from __future__ import annotations

import logging
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Final

from cluster.errors import StartError

JWT_SECRET: Final = "jwt_secret"  # noqa: S105 - the name of a file, not a secret
RECORD_SECRET: Final = "record_secret"  # noqa: S105
NOTIFICATION_SECRET: Final = "notification_secret"  # noqa: S105
WEBHOOK_SECRET: Final = "webhook_secret"  # noqa: S105
RAY_TOKEN: Final = "ray_token"  # noqa: S105 - what whoever calls Ray's processes must show
SECRET_BYTES: Final = 32  # as long as SHA-256's digest: RFC 7518 section 3.2 asks no less of an HS256 key
OWN_FILES: Final = ("log.db*", "records.db*", "*_secret", RAY_TOKEN, "ray_address", "lock", "series", "series/*")

logger = logging.getLogger(__name__)


def make_private(data_dir: Path) -> None:
    """Make the data directory, and close it and what Palio keeps in it to other users: 0700 and 0600. Raises OSError.

    What exists from before is tightened; other files are left alone.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in (data_dir, *(found for pattern in OWN_FILES for found in data_dir.glob(pattern))):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) or not mode & 0o077:
            continue
        try:
            path.chmod(stat.S_IMODE(mode) & 0o700)
        except PermissionError:  # a volume that belongs to somebody else, who lets us write
            logger.warning("other users may read %s, and its mode cannot be changed", path)


def load_or_create_secret(data_dir: Path, name: str) -> bytes:
    """The secret in `<data_dir>/<name>`: 64 hexadecimal digits, made (mode 0600) if missing.

    Processes that race to make it agree on one: the first link wins. Raises StartError when the directory cannot be
    written, or when the file holds less than 32 bytes.
    """
    path = data_dir / name
    try:
        if not path.exists():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(path)
        secret = path.read_bytes().strip()
    except OSError as error:
        raise StartError(f"cannot read or make the secret {path}: {error.strerror or error}") from error
    if len(secret) < SECRET_BYTES:
        raise StartError(f"expected a secret of at least {SECRET_BYTES} bytes in {path}, got {len(secret)}")
    return secret


def _create(path: Path) -> None:
    """Write the whole secret beside `path`, then link it there: nobody ever reads half of it."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp's mode is 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(SECRET_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return  # somebody else was first: theirs counts
    finally:
        Path(temporary).unlink()
