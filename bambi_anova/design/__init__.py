"""Coded rows -> design: factors, levels, units, strata and cells."""
