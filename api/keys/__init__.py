"""The key store, outside the database and its backups."""
