"""A data frame -> coded rows -> sufficient rows."""
