"""What keeps the product from running, in words for whoever sits at the terminal."""


class StartError(Exception):
    """Confr cannot start, or cannot go on. The text says why and what to do."""
