"""Bring photographs in with img2dataset, in an environment of its own.

Usage: python with_img2dataset.py PORT COUNT FOLDER
"""

import sys
from pathlib import Path

from img2dataset import download

if __name__ == "__main__":
    port, count, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    addresses = folder / "addresses.txt"
    addresses.write_text("".join(f"http://127.0.0.1:{port}/{number}.jpg\n" for number in range(count)))
    download(
        url_list=str(addresses),
        output_folder=str(folder / "stored"),
        output_format="files",
        processes_count=2,
        thread_count=16,
        number_sample_per_shard=max(1, count // 2),
        image_size=256,
        resize_mode="keep_ratio_largest",
        resize_only_if_bigger=True,
        encode_quality=75,
        compute_hash=None,
        extract_exif=False,
        enable_wandb=False,
    )
