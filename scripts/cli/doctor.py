"""What `scripts/palio doctor` does: look at each setting and configured server once, and tell what to do about what is wrong.

Makes nothing and changes nothing, beside a Palio that runs or before the first start.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from cluster.checkup import servers, surroundings
from cluster.config.settings import Settings, load_settings
from cluster.errors import StartError
from cluster.running import running_ray
from scripts.cli.tables import print_rows
from storage.ports import Finding


def doctor(data_dir: Path | None) -> int:
    """Print a line for each subject; 1 if something is wrong."""
    try:
        settings = load_settings(data_dir=data_dir)
    except StartError as error:
        findings = [Finding("settings", "wrong", str(error), "mend this variable; `scripts/palio settings` lists all")]
    else:
        findings = asyncio.run(examine(settings))
    print_rows(["subject", "state", "found", "to do"], [[part or "-" for part in finding] for finding in findings])
    return int(any(finding.state == "wrong" for finding in findings))


async def examine(settings: Settings) -> list[Finding]:
    """Every finding, the subjects in a fixed order."""
    zones, data, *nodes = surroundings(settings)
    first = Finding("settings", "ok", "every variable is known and well-formed")
    return [first, zones, data, *_ports(settings), *nodes, *await servers(settings)]


def _ports(settings: Settings) -> list[Finding]:
    try:
        running = running_ray(settings) is not None
    except StartError as error:
        return [Finding("ports", "wrong", str(error), "run this as the user that runs Palio")]
    if running:
        return [Finding("ports", "ok", "a Palio runs here and has them")]
    findings = []
    for name, port in (("api", settings.port), ("gateway", settings.gateway_port)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError as error:
                said = f"cannot listen on {settings.host}:{port}: {error.strerror or error}"
                to_do = f"end what listens there, or set PALIO_{'' if name == 'api' else 'GATEWAY_'}PORT"
                findings.append(Finding(f"{name}'s port", "wrong", said, to_do))
                continue
        findings.append(Finding(f"{name}'s port", "ok", f"{settings.host}:{port} is free"))
    return findings
