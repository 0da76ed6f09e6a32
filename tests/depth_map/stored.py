"""What depth mapping stands on, in memory."""


class Drawer:
    """An object store."""

    def __init__(self, original: bytes) -> None:
        self.kept = {"original": original}

    async def get(self, key: str) -> bytes:
        return self.kept[key]

    async def put_once(self, key: str, body: bytes, *, content_type: str) -> bool:
        assert content_type
        self.kept[key] = body
        return True
