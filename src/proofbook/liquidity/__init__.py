"""Market makers, takers, and how they leave: users of the SDK like any stranger."""
