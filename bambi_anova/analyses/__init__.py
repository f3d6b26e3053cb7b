"""A model -> all analyses of its data that apply, side by side."""
