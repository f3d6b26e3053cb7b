"""Tables -> what goes into a paper: rounded sheets, paragraphs, pages of a notebook."""
