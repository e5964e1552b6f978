"""A file system of a few megabytes, to be filled up: unmounted whatever becomes of the test, also when its process is killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Waits for the end of its input, which comes by `close` or with the end of the process that holds the other end.
_UNMOUNT = 'cat >/dev/null; umount -l "$1" 2>/dev/null; rmdir "$1"'


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A directory on a disk of its own, apart from pytest's folders, whose clean-up would stumble over it. Skips without the right to mount."""
    mounted = tempfile.mkdtemp(prefix="palio-small-disk-")
    # In a session of its own: a signal to the tests' process group leaves it to its work.
    guard = subprocess.Popen(["sh", "-c", _UNMOUNT, "sh", mounted], stdin=subprocess.PIPE, start_new_session=True)
    assert guard.stdin is not None
    try:
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", mounted]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            if os.environ.get("CI"):
                raise AssertionError(done.stderr)
            pytest.skip("mounting a tmpfs needs root")
        yield Path(mounted)
    finally:
        guard.stdin.close()
        guard.wait(30)
