"""A fit -> one file, and back."""
