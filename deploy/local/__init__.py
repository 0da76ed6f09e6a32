"""The whole stack on one machine without containers: three servers and five services, supervised."""
