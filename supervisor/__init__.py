"""Runs the whole product in one terminal: `python -m supervisor`. No Django here, so that it stays small."""
