"""The scraper's SQL."""
