"""Events become read models: what the venue shows. Never on the write path."""
