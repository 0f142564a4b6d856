"""Views: one class per address, one method per operation, one service per method."""
