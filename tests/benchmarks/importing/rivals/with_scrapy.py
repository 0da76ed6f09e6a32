"""Bring photographs in with Scrapy's images pipeline, in an environment of its own.

Usage: python with_scrapy.py PORT COUNT FOLDER
"""

import sys
from collections.abc import AsyncIterator
from typing import Any

from scrapy import Spider
from scrapy.crawler import CrawlerProcess
from scrapy.pipelines.images import ImagesPipeline


class SmallOnes(ImagesPipeline):  # type: ignore[misc]
    """Keeps one small JPEG of each image, where the pipeline as it comes would keep the whole image beside it."""

    def convert_image(self, image: Any, size: Any = None, *, response_body: Any) -> Any:
        return super().convert_image(image, size or (256, 256), response_body=response_body)


class Photographs(Spider):  # type: ignore[misc]
    """Names the addresses, a few to each item."""

    name = "photographs"

    async def start(self) -> AsyncIterator[dict[str, list[str]]]:
        for first in range(0, self.count, 16):
            numbers = range(first, min(first + 16, self.count))
            yield {"image_urls": [f"http://127.0.0.1:{self.port}/{number}.jpg" for number in numbers]}


if __name__ == "__main__":
    process = CrawlerProcess(
        {
            "CONCURRENT_REQUESTS": 16,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
            "DOWNLOAD_DELAY": 0,
            "IMAGES_STORE": sys.argv[3],
            "ITEM_PIPELINES": {SmallOnes: 1},
            "LOG_LEVEL": "ERROR",
            "ROBOTSTXT_OBEY": False,
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    process.crawl(Photographs, port=int(sys.argv[1]), count=int(sys.argv[2]))
    process.start()
