"""Pages that scripts build are shown in Chromium, and what is there then is read like any other page."""
