"""What `proofbook bench …` measures, and beside what."""
