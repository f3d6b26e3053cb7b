# Makes oats_brms.csv: the oats experiment by brms with its default priors; posterior means and
# sds of marginal means, of pairwise contrasts by emmeans, and of the standard deviations.
# Run from this folder: Rscript brms.R

source("tidy.R")

oats <- read_data("../../bambi_anova/datasets/oats.csv", c("block", "variety", "nitrogen"))
fit <- brms::brm(yield ~ variety * nitrogen + (1 | block) + (1 | block:variety), oats,
                 chains = 4, iter = 5000, warmup = 1000, cores = 2, seed = 1, refresh = 0,
                 control = list(adapt_delta = 0.99))
worst <- max(brms::rhat(fit), na.rm = TRUE)
stopifnot(worst < 1.01, sum(subset(brms::nuts_params(fit), Parameter == "divergent__")$Value) == 0)

tool <- paste("brms", version_of("brms"))
rows <- function(quantity, term, level, draws) {
  data.frame(tool, quantity, term, level, estimate = colMeans(draws), se = apply(draws, 2, sd))
}
draws_of <- function(object) as.matrix(coda::as.mcmc(object, names = FALSE))
of_term <- function(term) {
  means <- emmeans::emmeans(fit, term)
  levels <- levels(means)[[term]]
  rbind(rows("mean", term, levels, draws_of(means)),
        rows("contrast", term, pairs_of(levels), draws_of(emmeans::contrast(means, "pairwise"))))
}
sds <- as.matrix(fit, variable = c("sd_block__Intercept", "sd_block:variety__Intercept", "sigma"))
write_table(rbind(of_term("variety"), of_term("nitrogen"),
                  rows("sd", c("block", "block:variety", "residual"), NA, sds)),
            "oats_brms.csv")
write_versions("brms.R", c("brms", "emmeans"))
