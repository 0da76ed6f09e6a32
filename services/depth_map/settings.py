"""What depth mapping reads from its environment."""

from pathlib import Path

from pydantic import Field

from shared.settings import ObjectSettings, OutboundSettings, WorkSettings


class Settings(OutboundSettings, ObjectSettings, WorkSettings):
    """Depth mapping's settings."""

    concurrency: int = Field(default=2, ge=1, le=100, description="maps that are drawn at once in one process")
    mapper_memory_bytes: int = Field(default=1024 * 1024 * 1024, ge=256 * 1024 * 1024)
    mapper_growth_bytes: int = Field(
        default=256 * 1024 * 1024, ge=0, description="a process that has grown by more is replaced by a fresh one"
    )
    mapper_seconds: float = Field(default=120, gt=0, description="longest time for one map")
    depth_estimator: str | None = Field(
        default=None,
        description="cues, drawn_scenes, or a JSON file that describes an ONNX model; absent: Depth Anything V2 Small "
        "where its weights are in the models' folder, else drawn_scenes",
    )
    models_directory: Path | None = Field(
        default=None, description="where weights that were fetched are kept; default: the scratch directory"
    )
    depth_edges: dict[str, float] = Field(
        default={},
        description="JSON, what differs: low_threshold, high_threshold, blur_sigma_px, detect_short_side_px",
    )
    depth_flip_check: bool = Field(default=False, description="compare with the mirrored picture: twice the time")
    depth_normals: bool = Field(default=False, description="also draw the normals of surfaces")
    depth_field_of_view_degrees: float = Field(
        default=60, ge=5, le=150, description="of the cameras, along the longer side; only normals need it"
    )
