"""A fit in plain words, as text and as a page of its own."""
