"""What all tables share: their columns, their print, their rounding."""
