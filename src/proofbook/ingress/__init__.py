"""Bytes from outside become authenticated commands: sessions, JSON-RPC, limits."""
