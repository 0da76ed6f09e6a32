"""`make contracts`: golden schemas, topology and AsyncAPI, generated from the code that speaks."""
