"""The contract of the archive's files, for a folder and for S3 (moto's server)."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from storage.archive import files as files_module
from storage.archive.files import PARTIAL, PyarrowFiles
from storage.ports import ArchiveFiles, ArchiveUnavailableError

KEYS = "AKIDEXAMPLE:secret%2Fkey%2B"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server with a bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    client(address).create_bucket(Bucket="season", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield address
    server.stop()


def client(address: str) -> Any:
    keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret/key+"}
    return boto3.client("s3", endpoint_url=address, region_name="eu-central-1", **keys)


@pytest.fixture(params=["folder", "s3"])
async def files(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ArchiveFiles]:
    url = str(tmp_path / "archive")
    if request.param == "s3":
        url = of(request.getfixturevalue("s3"), tmp_path.name)
    opened = PyarrowFiles(url)
    yield opened
    await opened.close()


def of(address: str, prefix: str) -> str:
    host = address.removeprefix("http://")
    return f"s3://{KEYS}@season/{prefix}?region=eu-central-1&scheme=http&endpoint_override={host}"


async def test_files_are_read_as_written_and_replaced(files: ArchiveFiles) -> None:
    assert await files.get("0a/10.parquet") is None
    for data in (b"one", b"", b"x" * 6_000_000):
        await files.put("0a/10.parquet", data)
        assert await files.get("0a/10.parquet") == data
    await files.put("0a/266.parquet", b"other")
    await files.delete("0a/10.parquet")
    await files.delete("0a/10.parquet")
    assert await files.get("0a/10.parquet") is None
    assert await files.get("0a/266.parquet") == b"other"


async def test_many_at_once(files: ArchiveFiles) -> None:
    await asyncio.gather(*(files.put(f"{n % 3:02x}/{n}", str(n).encode()) for n in range(40)))
    found = await asyncio.gather(*(files.get(f"{n % 3:02x}/{n}") for n in range(40)))
    assert found == [str(n).encode() for n in range(40)]


async def test_a_write_that_is_cut_off_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: Any) -> None:
    files = PyarrowFiles(str(tmp_path))
    await files.put("a/1", b"whole")

    def cut_off(self: Path, target: Path) -> Path:
        raise OSError("the process is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut_off)
        with pytest.raises(ArchiveUnavailableError):
            await files.put("a/1", b"other")
    assert await files.get("a/1") == b"whole"
    assert (tmp_path / f"a/1{PARTIAL}").exists()
    await files.put("a/1", b"other")
    assert await files.get("a/1") == b"other"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["1"]
    await files.close()


async def test_on_s3_there_are_whole_objects_only(s3: str) -> None:
    files = PyarrowFiles(of(s3, "whole"))
    await files.put("a/1", b"whole")
    names = [each["Key"] for each in client(s3).list_objects_v2(Bucket="season", Prefix="whole/a/")["Contents"]]
    assert [name for name in names if not name.endswith("/")] == [
        "whole/a/1"
    ]  # pyarrow puts an empty one for the folder
    assert client(s3).get_object(Bucket="season", Key="whole/a/1")["Body"].read() == b"whole"
    await files.close()


async def test_a_store_that_refuses_or_hangs_stalls_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for url in (str(tmp_path / "file"), of("http://127.0.0.1:9", "x")):
        files = PyarrowFiles(url, timeout_s=4)
        with pytest.raises(ArchiveUnavailableError):
            await files.put("a/1", b"x")
        await files.close()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        files = PyarrowFiles(of(f"http://127.0.0.1:{silent.getsockname()[1]}", "x"), timeout_s=0.3)
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(ArchiveUnavailableError, match="no answer within"):
            await files.get("a/1")
        waiting = [asyncio.create_task(files.get("a/1")) for _ in range(files_module.AT_ONCE + 2)]
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(answer) for answer in answers} == {ArchiveUnavailableError}
        assert asyncio.get_running_loop().time() - began_s < 3
        assert (
            sum(thread.name.startswith("archive") for thread in threading.enumerate()) <= 2 * files_module.AT_ONCE + 8
        )
        await files.close()


@pytest.mark.parametrize("url", ["s3:///x", "s3://bucket/x?region=a&secret=b"])
def test_urls_that_no_archive_can_be_at(url: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        files_module.check_url(url)
