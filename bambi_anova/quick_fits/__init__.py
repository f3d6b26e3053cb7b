"""Quick fits of Bambi models, in the form that Bambi and ArviZ take."""
