"""The service's own tests once more, on PostgreSQL."""
