"""The media worker: one process that records and mixes what is live. It does the work; what is to be done, and who
does it, is in the tables."""
