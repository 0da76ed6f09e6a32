"""What depth mapping stands on, in memory."""


class Drawer:
    """An object store, which knows how often it was asked for what."""

    def __init__(self, original: bytes) -> None:
        self.kept = {"original": original}
        self.asked: list[str] = []

    async def get(self, key: str) -> bytes:
        self.asked.append("get")
        return self.kept[key]

    async def put(self, key: str, body: bytes, *, content_type: str) -> None:
        assert content_type
        self.asked.append("put")
        self.kept[key] = body
