"""Text: sentences, words and normal forms, in any script."""
