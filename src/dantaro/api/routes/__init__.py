"""The routes behind the hot path, one module for each kind of question."""
