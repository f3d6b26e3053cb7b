# Makes transformed_emmeans.csv: the oats mixed model of log(yield) and of sqrt(yield), taken back
# to yield by emmeans.
# Run from this folder: Rscript transformed.R

source("tidy.R")
library(emmeans)

oats <- read_data("../../bambi_anova/datasets/oats.csv", c("block", "variety", "nitrogen"))
formulas <- list(
  log = log(yield) ~ variety * nitrogen + (1 | block) + (1 | block:variety),
  sqrt = sqrt(yield) ~ variety * nitrogen + (1 | block) + (1 | block:variety)
)
means <- list(log = function(m, s) exp(m + s^2 / 2), sqrt = function(m, s) m^2 + s^2)

of_model <- function(name) {
  fit <- fit_lmer(formulas[[name]], oats)
  # A new block and plot, and a new row in them.
  sd <- sqrt(sum(sapply(lme4::VarCorr(fit), as.numeric)) + sigma(fit)^2)
  cells <- emmeans(fit, ~ variety * nitrogen)
  link <- as.data.frame(summary(cells, infer = FALSE))
  back <- as.data.frame(summary(cells, type = "response", infer = FALSE))
  adjusted <- as.data.frame(
    summary(cells, type = "response", bias.adjust = TRUE, sigma = sd, infer = FALSE))
  # emmeans stops after the second derivative, which for the square is all there is.
  if (name == "sqrt") stopifnot(all.equal(adjusted$response, link$emmean^2 + sd^2))
  level <- paste(link$variety, link$nitrogen, sep = ":")
  row <- function(quantity, term, level, estimate, se)
    data.frame(response = name, quantity, term, level, estimate, se)
  # Margins of what was measured, as ours: cells are taken back before they are averaged.
  measured <- emmeans(regrid(cells, "response"), "nitrogen")
  margin <- as.data.frame(summary(measured, infer = FALSE))
  pairs <- as.data.frame(summary(contrast(measured, "pairwise"), infer = FALSE))
  rows <- list(
    row("link", "variety:nitrogen", level, link$emmean, link$SE),
    row("median", "variety:nitrogen", level, back$response, back$SE),
    row("response", "variety:nitrogen", level, means[[name]](link$emmean, sd), NA),
    row("median", "nitrogen", as.character(margin$nitrogen), margin$response, margin$SE),
    row("median difference", "nitrogen", gsub("nitrogen", "", pairs$contrast), pairs$estimate,
        pairs$SE),
    row("sd", "", "", sd, NA)
  )
  if (name == "log") {
    ratios <- contrast(emmeans(fit, "nitrogen"), "pairwise")
    ratios <- as.data.frame(summary(ratios, type = "response", infer = FALSE))
    labels <- gsub("nitrogen", "", as.character(ratios$contrast))
    rows <- c(rows, list(row("ratio", "nitrogen", labels, ratios$ratio, ratios$SE)))
  }
  do.call(rbind, rows)
}
write_table(do.call(rbind, lapply(names(formulas), of_model)), "transformed_emmeans.csv")
write_versions("transformed.R", c("lme4", "emmeans"))
