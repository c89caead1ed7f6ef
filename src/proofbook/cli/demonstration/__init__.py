"""The whole line in one run: from signed orders to a verified root, and back out of the vault."""
