"""Deciding of maps: of one, or of many at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.depth_map import ReviewDepthMap, Verdict
from services.gateway.routes.acting import act_once, acting, begin
from services.gateway.routes.auditing import entry
from services.gateway.routes.callers import Caller, Calling
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.images import Review
from services.gateway.routes.documented.shapes.reviews import ReviewsDone
from services.gateway.routes.problems import Problem
from services.gateway.routes.replies import API, plain, review_reply
from services.gateway.routes.review.asked import ApprovalAsked, ManyReviewed, RecipeInPath, RejectionAsked
from services.gateway.routes.review.looking import map_of, shown_review
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.submitting import new_job
from services.gateway.routes.versions import check_version
from services.gateway.rules.happenings import Happening
from services.gateway.store import projection
from services.gateway.store import reviews as store
from services.gateway.store.audit import AuditEntry, insert_audit
from services.gateway.store.reading import Row
from shared.outbox import Transaction

_QUEUE: Final = f"{API}/review/maps"
_DECIDING: Final[Any] = {
    "problems": ("map_not_found", "project_not_found", "viewer_only"),
    "tagged": True,
    "edits": True,
}
_VERDICTS: Final[dict[str, Verdict]] = {"approve": "approved", "reject": "rejected", "undo": "unreviewed"}
_Named = Mapping[tuple[UUID, str], int | None]
routes = APIRouter(prefix=API, tags=["review"], route_class=SecondLook)


@dataclass(frozen=True)
class _Decision:
    """What somebody decides."""

    action: str
    reasons: Sequence[str] = ()
    note: str | None = None

    @property
    def verdict(self) -> Verdict:
        return _VERDICTS[self.action]

    def stands(self, row: Row) -> bool:
        """Tell whether this was decided already, by whomever."""
        if row["review_state"] != self.verdict:
            return False
        said = (list(row["reasons"] or ()), row["note"])
        return self.verdict == "unreviewed" or said == (list(self.reasons), self.note)


@routes.post(
    "/images/{image_id}/maps/{recipe}/approve",
    summary="Approve maps",
    **told("approve_maps", Review, **_DECIDING),
)
async def post_approve(
    request: Request, caller: Calling, image_id: UUID, recipe: RecipeInPath, asked: ApprovalAsked | None = None
) -> Response:
    """Say that these maps are good to learn from. It holds for the next look, and for the next export.

    Maps that are drawn anew are unreviewed again. Deciding the same once more changes nothing.
    """
    decision = _Decision("approve", note=asked.note if asked else None)
    return await _decided(request, caller, image_id, recipe, decision)


@routes.post(
    "/images/{image_id}/maps/{recipe}/reject",
    summary="Reject maps, and say why",
    **told("reject_maps", Review, **_DECIDING),
)
async def post_reject(
    request: Request, caller: Calling, image_id: UUID, recipe: RecipeInPath, asked: RejectionAsked
) -> Response:
    """Say that these maps are not good to learn from, by reasons, or in your own words."""
    reasons = tuple(dict.fromkeys(asked.reasons))
    return await _decided(request, caller, image_id, recipe, _Decision("reject", reasons, asked.note))


@routes.post(
    "/images/{image_id}/maps/{recipe}/undo",
    summary="Take back what was decided of maps",
    **told("undo_review", Review, **_DECIDING),
)
async def post_undo(request: Request, caller: Calling, image_id: UUID, recipe: RecipeInPath) -> Response:
    """Have these maps wait for a review again. Send `If-Match`, and only your own decision is taken back."""
    return await _decided(request, caller, image_id, recipe, _Decision("undo"))


async def _decided(request: Request, caller: Caller, image_id: UUID, recipe: str, decision: _Decision) -> Response:
    async with acting(request, caller) as tx:
        row = await map_of(tx.connection, caller, image_id, recipe)
        caller.writing(row["project_id"])
        if not decision.stands(row):
            check_version(request, row["version"])
            await _decide(tx, caller, [row], decision)
            row = await map_of(tx.connection, caller, image_id, recipe)
    return shown_review(row)


async def _decide(tx: Transaction, caller: Caller, rows: Sequence[Row], decision: _Decision) -> None:
    """Write a decision about maps, say it, tell of it, and note who made it; the writers' lock is held."""
    commands = [
        ReviewDepthMap(
            **new_job(caller, row["project_id"]),
            asset_id=row["asset_id"],
            recipe=row["recipe"],
            decision=row["decision"] + 1,
            map_version=row["subject_version"],
            verdict=decision.verdict,
            reasons=tuple(decision.reasons),
            note=decision.note,
            reviewed_by=caller.user_id,
            reviewed_at=row["now"],
        )
        for row in rows
    ]
    await begin(tx, commands)
    await store.upsert_reviews(tx.connection, [_row_of(command) for command in commands])
    await projection.insert_events(tx.connection, [_happening(command) for command in commands])
    await insert_audit(tx.connection, [_noted(caller, decision, command) for command in commands])


def _row_of(command: ReviewDepthMap) -> dict[str, Any]:
    names = {"asset_id", "recipe", "project_id", "decision", "map_version", "verdict", "reasons", "note", "job_id"}
    return command.model_dump(mode="json", include=names | {"reviewed_by", "reviewed_at"})


def _happening(command: ReviewDepthMap) -> Happening:
    told_of = {"image_id": command.asset_id, "recipe": command.recipe, "state": command.verdict}
    lineage = {"job_id": command.job_id, "root_id": command.root_job_id}
    data = {**lineage, **told_of, "reviewed_by": command.reviewed_by}
    return Happening(command.project_id, "image.reviewed", command.reviewed_at, data, **lineage)


def _noted(caller: Caller, decision: _Decision, command: ReviewDepthMap) -> AuditEntry:
    details = {"recipe": command.recipe, "reasons": list(command.reasons), "job_id": command.job_id}
    return entry(caller, f"map.{decision.action}", command.asset_id, command.project_id, **details)


@routes.post(
    "/review/maps",
    summary="Approve, reject or take back many maps",
    **told("review_maps", ReviewsDone, problems=("map_not_found", "project_not_found", "viewer_only"), once=True),
)
async def post_reviews(request: Request, caller: Calling, asked: ManyReviewed) -> Response:
    """Decide the same of up to 500 maps. Those are skipped of which it stands already, or which changed meanwhile."""
    decision = _Decision(asked.action, tuple(dict.fromkeys(asked.reasons)), asked.note)

    async def act(tx: Transaction) -> Answer:
        named = {(one.image_id, one.recipe): one.version for one in asked.maps}
        rows = await store.select_named_maps(tx.connection, list(caller.memberships), list(named))
        _check_all_found(named, rows)
        for row in rows:
            caller.writing(row["project_id"])
        skipped = [skip for row in rows if (skip := _reason_to_skip(row, decision, named)) is not None]
        left_out = {(skip["image_id"], skip["recipe"]) for skip in skipped}
        done = [row for row in rows if (row["asset_id"], row["recipe"]) not in left_out]
        if done:
            await _decide(tx, caller, done, decision)
        names = [(row["asset_id"], row["recipe"]) for row in done]
        rows = await store.select_named_maps(tx.connection, list(caller.memberships), names)
        body = {"items": [review_reply(row) for row in rows], "total": len(rows), "skipped": skipped}
        return Answer(plain(body), _QUEUE, 200)

    return await act_once(request, caller, act)


def _check_all_found(named: _Named, rows: Sequence[Row]) -> None:
    missing = named.keys() - {(row["asset_id"], row["recipe"]) for row in rows}
    if missing:
        errors = [
            {"pointer": "/body/maps", "message": f"image {image_id} has no maps by the recipe {recipe}"}
            for image_id, recipe in sorted(missing, key=str)
        ]
        raise Problem(404, "map_not_found", "Some of these maps do not exist.", errors=errors[:20])


def _reason_to_skip(row: Row, decision: _Decision, named: _Named) -> dict[str, Any] | None:
    about = {"image_id": row["asset_id"], "recipe": row["recipe"]}
    if decision.stands(row):
        return {**about, "code": "already_so", "sentence": "This was decided of them already."}
    seen = named[row["asset_id"], row["recipe"]]
    if seen is not None and seen != row["version"]:
        return {**about, "code": "version_stale", "sentence": "They were changed since you looked."}
    return None
