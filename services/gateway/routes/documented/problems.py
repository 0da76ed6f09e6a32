"""What may go wrong: every code that a problem can have, under which status, and what it means."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

MEDIA_TYPE: Final = "application/problem+json"

MEANINGS: Final[Mapping[int, Mapping[str, str]]] = {
    400: {
        "bad_request": "The request cannot be read: a NUL character in its address, a body that is not UTF-8 ...",
        "cursor_invalid": "The cursor was not made here: begin again without one.",
        "idempotency_key_invalid": "An Idempotency-Key has 1 to 255 visible ASCII characters.",
        "last_event_id_invalid": "Last-Event-ID is not the id of an event.",
        "if_match_invalid": "If-Match does not hold the ETag of a reply.",
        "multipart_invalid": "This is not a form as RFC 7578 says.",
        "multipart_incomplete": "The form ends before it is complete.",
        "client_disconnected": "The client left before the form had ended.",
        "two_credentials": "Send a ticket or an Authorization header, not both.",
        "url_invalid": "This is not a URL that can be sent to.",
        "url_scheme_refused": "Only http and https URLs are sent to.",
        "url_port_refused": "Nothing is sent to that port.",
        "url_credentials_refused": "A URL with a user name or a password is not sent to.",
        "address_refused": "The URL does not lead to a public host.",
        "https_required": "In production only https URLs are sent to.",
    },
    401: {
        "token_missing": "No bearer token was sent.",
        "token_malformed": "The token is not a signed JWT.",
        "token_header_refused": "The token's header asks for more than `alg`, `typ` and `kid`.",
        "token_issuer_unknown": "The token comes from an issuer that is not known here.",
        "token_invalid": "The token's signature or claims are wrong.",
        "token_expired": "The token has expired: sign in again.",
        "token_subject_invalid": "The token's `sub` is not the id of a user.",
        "token_is_no_user": "The token belongs to a role, not to a signed-in user.",
        "token_algorithm_refused": "The token is signed with an algorithm that its issuer does not use.",
        "ticket_invalid": "The ticket was used, has expired or never existed.",
        "api_key_invalid": "The API key was revoked or never existed.",
        "api_key_expired": "The API key has expired.",
        "api_key_ownerless": "Whoever made the API key is no longer a member of its project.",
    },
    403: {
        "not_a_member": "You are not a member of the project that you named.",
        "viewer_only": "In this project you may look at everything and change nothing.",
        "operator_only": "Only operators may do this.",
        "origin_not_allowed": "Pages of this origin may not call the API; told to preflights.",
        "other_user": "Told over WebSocket: a new token has to be of the same user.",
        "owner_only": "Only owners of the project may do this.",
        "users_only": "An API key may not do this: sign in as a user.",
        "link_invalid": "The signed address has expired, or was not made here: get another one.",
        "scope_missing": "The API key has not the scope that this needs.",
    },
    404: {
        "not_found": "There is nothing at this address.",
        "job_not_found": "There is no such job, or it is not yours.",
        "map_not_found": "The image has no maps by that recipe, or it is not yours.",
        "image_not_found": "There is no such image, or it is not yours.",
        "scene_image_not_found": "No image of this scene was ever asked for.",
        "version_not_found": "The scene has no version of this number.",
        "embedding_not_found": "The image has no vector to compare by: it comes with the image's description.",
        "variant_not_found": "The image has no such variant; the problem says which it has.",
        "dead_letter_not_found": "There is no such dead letter, or it is not about a job of yours.",
        "pause_not_found": "This kind of work does not rest.",
        "schema_not_found": "There is no message of that type.",
        "subscription_not_found": "Told over WebSocket: there is no subscription of this id.",
        "project_not_found": "There is no such project, or you are not its member.",
        "member_not_found": "There is no such member.",
        "chapter_not_found": "There is no such chapter, or it is not yours.",
        "scene_not_found": "There is no such scene.",
        "customer_not_found": "There is no such customer, or it is not yours.",
        "api_key_not_found": "There is no such API key, or it is not of your projects.",
        "webhook_not_found": "There is no such webhook, or it is not of your projects.",
        "upload_not_found": "There is no such upload, or it is not of your projects.",
        "hint_not_found": "Nobody was told to hint at this address.",
        "delivery_not_found": "There is no such delivery.",
    },
    405: {"method_not_allowed": "The address does not understand that method; `Allow` says which it does."},
    408: {"upload_stalled": "Nothing came in for too long: send it again."},
    409: {
        "generation_in_progress": "Another image of this scene is being drawn: wait for it, or cancel its task.",
        "outcome_known": "Only a drawing goes on that ended as `outcome_unknown`, and that nobody has done again.",
        "version_deleted": "The image of this version was deleted.",
        "paused_by_another": "Somebody else has paused this kind of work; `take_over` decides instead.",
        "subscription_exists": "Told over WebSocket: there is a subscription of this id.",
        "chapter_exists": "The project has a chapter of this id.",
        "chapter_ambiguous": "Several of your projects have a chapter of this id: name the `project_id`.",
        "chapter_in_use": "Images of its scenes are being drawn.",
        "scene_exists": "The chapter has a scene of this number.",
        "scene_in_use": "The scene's image is being drawn.",
        "external_id_taken": "Another customer of the project has this external id.",
        "image_in_another_project": "The image belongs to another project than the customer.",
        "last_owner": "A project keeps at least one owner.",
        "personal_project": "A personal project is its user's for good.",
        "project_not_empty": "The project still holds images, or jobs that have not ended.",
        "too_many_projects": "A user belongs to as many projects as one may.",
        "too_many_api_keys": "A project has as many API keys as it may: revoke one.",
        "too_many_webhooks": "A project has as many webhooks as it may: delete one.",
        "rendition_failed": "The image could not be drawn in this size; the problem says why.",
        "image_being_deleted": "The project is about to delete this very image.",
        "upload_missing": "Nothing has arrived at the upload's URL yet.",
        "upload_size_differs": "What has arrived has another size than was announced.",
        "upload_completed": "The upload was completed: cancel its job, or delete its image.",
        "delivery_under_way": "It is being sent at this moment.",
        "webhook_disabled": "The webhook is switched off: set `active` first.",
    },
    410: {"upload_expired": "The time for this upload is over: announce it anew."},
    412: {"version_stale": "It was changed since you looked: look again."},
    413: {
        "body_too_large": "The body has more bytes than this address reads.",
        "request_too_large": "One job may not be asked for with so much: divide it into several requests.",
        "file_too_large": "A file has more bytes than one may have.",
        "too_many_rows": "A manifest has more rows than one may have: divide it.",
        "too_many_files": "One form holds at most 20 files.",
        "form_too_large": "What the form says beside its files is too much.",
    },
    415: {
        "media_type_unsupported": "The body, or the file, is not of a type that is read here.",
        "web_page_not_image": "The file is a page of the web.",
        "not_an_image": "The file is no image.",
        "format_refused": "Images of this format are not taken.",
        "format_not_supported": "Images of this format cannot be read.",
    },
    422: {
        "validation_failed": "The request is not as this document says; `errors` points to each place.",
        "idempotency_key_reused": "The Idempotency-Key was used for another request.",
        "kind_unknown": "There is no work of that kind.",
        "pause_end_invalid": "A pause ends within the next thirty days.",
        "range_invalid": "`since` is not later than `until`, and a range has at most 366 days.",
        "body_empty": "A file has no bytes.",
        "manifest_unreadable": "The manifest is no CSV with a header, or not UTF-8.",
        "event_type_unknown": "There is no message of that type.",
        "event_type_refused": "That is not said by others: only commands for workers are.",
        "event_invalid": "The event's data is not as the contract of its type says.",
        "event_id_reused": "The same source has said something else under that id.",
        "no_files": "The form holds no file.",
        "no_file_taken": "None of the files can be taken; `errors` says why of each.",
        "beyond_provider": "Nobody who may draw the image can do all that is asked; `errors` says what.",
        "expiry_invalid": "`expires_at` is over, or too far away.",
    },
    429: {
        "quota_exceeded": "That was more than the limit of this class of requests: come back after `Retry-After`.",
        "too_many_subscriptions": "Told over WebSocket: end one subscription before the next.",
    },
    500: {"internal_error": "Something went wrong here; `trace_id` finds it in the logs."},
    503: {
        "database_unavailable": "The database does not answer now: come back after `Retry-After`.",
        "rendition_pending": "The image is being drawn in this size: come back after `Retry-After`.",
        "uploads_busy": "Too many files come in at this moment: come back after `Retry-After`.",
        "object_store_unavailable": "The object store does not answer now: come back after `Retry-After`.",
        "keys_unavailable": "The keys of the token's issuer could not be fetched yet: come back soon.",
    },
}

STATUS_OF: Final[Mapping[str, int]] = {code: status for status, codes in MEANINGS.items() for code in codes}

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail", "trace_id", "request_id"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri",
            "description": "`urn:diorama:problem:` and the code, or the type that is registered for it",
        },
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable; branch on it"},
        "detail": {"type": "string", "description": "what happened and what to do about it, for people"},
        "trace_id": {"type": ["string", "null"], "description": "finds it in the logs"},
        "request_id": {"type": ["string", "null"], "description": "the reply's X-Request-Id"},
        "errors": {
            "type": "array",
            "description": "the places of the request that are wrong",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "properties": {
                    "pointer": {"type": "string"},
                    "message": {"type": "string"},
                    "code": {"type": "string", "description": "of a file: why it was not taken"},
                },
            },
        },
        "violated-policies": {
            "type": "array",
            "description": "the limits that were exceeded",
            "items": {"type": "string"},
        },
    },
    "examples": [
        {
            "type": "urn:diorama:problem:job_not_found",
            "title": "Not Found",
            "status": 404,
            "code": "job_not_found",
            "detail": "There is no such job.",
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "request_id": "01990b6e-6c4d-7d4e-9a52-1f0c8c1d2e3f",
        }
    ],
}


def responses_of(codes: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Give the responses of an operation that may answer with these codes, by status."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(STATUS_OF[code], []).append(code)
    return {str(status): _response(status, by_status[status]) for status in sorted(by_status)}


def _response(status: int, codes: list[str]) -> dict[str, Any]:
    meant = {"properties": {"code": {"enum": codes}, "status": {"const": status}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, meant]}
    return {
        "description": "  \n".join(f"`{code}`: {MEANINGS[status][code]}" for code in codes),
        "content": {MEDIA_TYPE: {"schema": schema}},
    }
