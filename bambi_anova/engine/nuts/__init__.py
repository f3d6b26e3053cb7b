"""NUTS: on our own compiled density in whitened coordinates where there is one, else by Bambi."""
