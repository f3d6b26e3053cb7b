# Makes emmeans_weights.csv (the weights of emmeans' contrast families), emmeans_contrasts.csv
# (contrasts of the oats and memory mixed models) and emmeans_means.csv (marginal means of
# unbalanced oats data, cells weighing in different ways).
# Run from this folder: Rscript emmeans.R

source("tidy.R")
library(emmeans)

# Later versions of emmeans have these two families themselves.
helmert.emmc <- function(levs, ...) {
  weights <- as.data.frame(contr.helmert(length(levs)))
  names(weights) <- paste(levs[-1], "vs earlier")
  weights
}
opoly.emmc <- function(levs, scores = seq_along(levs), ...) {
  weights <- as.data.frame(contr.poly(length(levs), scores = scores))
  names(weights) <- c("linear", "quadratic", "cubic", "quartic", paste("degree", 5:20))[
    seq_len(ncol(weights))]
  weights
}

families <- c("pairwise", "revpairwise", "eff", "del.eff", "trt.vs.ctrl", "trt.vs.ctrlk",
              "consec", "mean_chg", "poly", "helmert", "opoly")
of_family <- function(family) {
  f <- paste0(family, ".emmc")
  if (exists(f, globalenv(), inherits = FALSE)) get(f, globalenv()) else
    getFromNamespace(f, "emmeans")
}

# One row a weight: family, number of levels, options, contrast, level, weight.
weights_of <- function(family, k, options = "", ...) {
  levels <- letters[seq_len(k)]
  table <- of_family(family)(levels, ...)
  do.call(rbind, lapply(seq_along(table), function(i) data.frame(
    family, levels = k, options, contrast = gsub(",", ";", names(table)[i]),
    level = levels, weight = table[[i]])))
}
rows <- unlist(lapply(families, function(family) {
  sizes <- if (family == "poly") 2:13 else 2:6
  lapply(sizes, function(k) weights_of(family, k))
}), FALSE)
extra <- list(
  weights_of("trt.vs.ctrl", 5, "ref=3", ref = 3),
  weights_of("trt.vs.ctrl", 5, "ref=2+4", ref = c(2, 4)),
  weights_of("opoly", 4, "scores=0+1+3+10", scores = c(0, 1, 3, 10))
)
write_table(do.call(rbind, c(rows, extra)), "emmeans_weights.csv")

# Contrasts of fitted models.
oats <- read_data("../../bambi_anova/datasets/oats.csv", c("block", "variety", "nitrogen"))
lmer <- fit_lmer(yield ~ variety * nitrogen + (1 | block) + (1 | block:variety), oats)
trials <- read_data("../../bambi_anova/datasets/memory.csv",
                    c("participant", "condition", "trial_type"))
cells <- aggregate(cbind(errors, markers) ~ participant + condition + trial_type, trials, sum)
glmer <- lme4::glmer(cbind(errors, markers - errors) ~ condition * trial_type +
  (1 | participant) + (1 | participant:trial_type), cells, binomial,
  control = lme4::glmerControl("bobyqa", optCtrl = list(rhoend = 1e-9)))

tidy <- function(data, term, by, method, object) {
  table <- as.data.frame(summary(object, infer = FALSE))
  estimate <- intersect(c("estimate", "odds.ratio"), names(table))
  parts <- setdiff(names(table), c(by, estimate, "SE", "df", "null", "z.ratio", "p.value"))
  label <- do.call(paste, c(lapply(table[parts], as.character), sep = " x "))
  label <- gsub("nitrogen", "", label)  # emmeans puts the factor before levels like 0.2
  at <- if (is.null(by)) "" else as.character(table[[by]])
  data.frame(data, term, by = if (is.null(by)) "" else by, method, at, contrast = label,
             estimate = table[[estimate]], se = table$SE)
}
nitrogen <- emmeans(lmer, "nitrogen")
named <- setdiff(families, "trt.vs.ctrlk")
results <- lapply(named, function(m) tidy("oats", "nitrogen", NULL, m, contrast(nitrogen, m)))
within <- emmeans(lmer, ~ nitrogen | variety)
both <- emmeans(lmer, ~ variety * nitrogen)
types <- emmeans(glmer, ~ trial_type | condition)
results <- c(results, list(
  tidy("oats", "nitrogen", "variety", "consec", contrast(within, "consec")),
  tidy("oats", "variety:nitrogen", NULL, "pairwise+poly",
       contrast(both, interaction = c("pairwise", "poly"))),
  tidy("memory", "trial_type", NULL, "pairwise", contrast(emmeans(glmer, "trial_type"), "pairwise")),
  tidy("memory", "trial_type", "condition", "pairwise", contrast(types, "pairwise")),
  tidy("memory", "condition", NULL, "eff", contrast(emmeans(glmer, "condition"), "eff")),
  tidy("memory", "trial_type", NULL, "pairwise odds_ratio",
       contrast(emmeans(glmer, "trial_type"), "pairwise", type = "response")),
  tidy("memory", "condition:trial_type", NULL, "pairwise+pairwise",
       contrast(emmeans(glmer, ~ condition * trial_type), interaction = "pairwise"))
))
write_table(do.call(rbind, results), "emmeans_contrasts.csv")

# Marginal means of unbalanced data: every fifth and every seventh row left out.
rows <- seq_len(nrow(oats))
some <- oats[rows %% 5 != 0 & rows %% 7 != 0, ]
lm <- lm(yield ~ variety * nitrogen, some)
means <- lapply(c("equal", "cells", "proportional"), function(weights) {
  table <- as.data.frame(summary(emmeans(lm, "variety", weights = weights), infer = FALSE))
  data.frame(weights, level = table$variety, mean = table$emmean)
})
write_table(do.call(rbind, means), "emmeans_means.csv")
write_versions("emmeans.R", c("lme4", "emmeans"))
