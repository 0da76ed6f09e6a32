"""All generated files of the contracts, as texts by path."""

import json
from collections.abc import Mapping
from pathlib import Path

from contracts.envelope import Message
from deploy.contracts.asyncapi import asyncapi
from deploy.contracts.schemas import golden_files
from deploy.contracts.tables import Tables
from deploy.contracts.topology import topology

TOPOLOGY = Path("contracts", "topology.json")
ASYNCAPI = Path("contracts", "asyncapi.yaml")


def generate(root: Path, catalogue: Mapping[str, type[Message]], tables: Tables) -> dict[Path, str]:
    """Give the text of every generated file, by path relative to `root`; raise ContractBrokenError."""
    return {
        **golden_files(root, catalogue),
        TOPOLOGY: json.dumps(topology(tables), indent=2) + "\n",
        ASYNCAPI: asyncapi(catalogue, tables),
    }


def stale(root: Path, files: Mapping[Path, str]) -> list[Path]:
    """Name the files that are absent or say something else."""
    return [path for path, text in files.items() if not (root / path).is_file() or (root / path).read_text() != text]
