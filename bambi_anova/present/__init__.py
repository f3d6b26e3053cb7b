"""Tables -> what goes into a paper or a notebook."""
