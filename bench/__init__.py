"""The load tool: `python -m bench` starts a Confr, works it as many clients would, and prints what it took."""
