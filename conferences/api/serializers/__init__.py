"""Shapes of what goes over the wire, with its names; `source` is what the house calls it."""
