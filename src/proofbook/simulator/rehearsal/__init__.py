"""Rehearsals of a crash: the whole venue through a path of prices, from one seed."""
