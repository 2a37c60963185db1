"""Collect: raw questions and passages, read, cleaned and kept apart from every benchmark."""
