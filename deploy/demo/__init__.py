"""A sample gallery, scraped and mapped before one's eyes, and checked to the last picture."""
