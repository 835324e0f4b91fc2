"""Records: SQLAlchemy models, repositories, migrations."""
