"""The journal as tables, for users and auditors: SQLite or PostgreSQL, never on the write path."""
