"""Text -> response, terms, strata, covariates: what a formula says, before any data are seen."""
