"""What every step needs and no step is about: files, downloads, errors, progress."""
