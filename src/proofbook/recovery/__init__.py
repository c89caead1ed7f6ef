"""How a venue comes back: the newest snapshot that holds good, and the journal after it."""
