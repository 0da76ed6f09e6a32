"""Files that clients send: read as they come, judged by their bytes, and put into the object store."""

from services.gateway.uploads.forms import FILES_LIMIT, FormRefused
from services.gateway.uploads.receiving import Ticket, Uploads
from services.gateway.uploads.spools import Busy, Spool, Spools

__all__ = ["FILES_LIMIT", "Busy", "FormRefused", "Spool", "Spools", "Ticket", "Uploads"]
