"""Running a venue: its configuration, its logs, its parts, and how it ends."""
