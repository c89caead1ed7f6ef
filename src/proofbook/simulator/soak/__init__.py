"""A venue under mixed load and abuse for minutes: what it keeps, and what honest clients notice."""
