# Makes repeated_aov.csv (classical table of repeated.csv, two within factors), eta_squared.csv
# (partial and generalised eta squared by afex) and aov_contrasts.csv (pairwise contrasts of
# classical fits by emmeans).
# Run from this folder: Rscript split_plot.R

source("tidy.R")

oats <- read_data("../../bambi_anova/datasets/oats.csv", c("block", "variety", "nitrogen"))
mixed <- read_data("mixed.csv", c("animal", "diet", "sex", "week"))
repeated <- read_data("repeated.csv", c("person", "group", "load", "side"))

oats_aov <- aov(yield ~ variety * nitrogen + Error(block / variety), oats)
mixed_aov <- aov(weight ~ diet * sex * week + Error(animal / week), mixed)
repeated_aov <- aov(time ~ group * load * side + Error(person / (load * side)), repeated)
write_table(tidy_aov(repeated_aov), "repeated_aov.csv")

eta <- function(data, name, id, dv, between, within) {
  of <- function(es) {
    fit <- afex::aov_ez(id, dv, data, between = between, within = within, type = 3,
                        anova_table = list(correction = "none", es = es))
    fit$anova_table
  }
  pes <- of("pes")
  data.frame(data = name, term = rownames(pes), pes = pes$pes, ges = of("ges")$ges)
}
write_table(rbind(eta(mixed, "mixed", "animal", "weight", c("diet", "sex"), "week"),
                  eta(repeated, "repeated", "person", "time", "group", c("load", "side"))),
            "eta_squared.csv")

# Interaction contrasts are products of one pair of each factor.
pairs_table <- function(model, name, term) {
  object <- emmeans::contrast(emmeans::emmeans(model, term), interaction = "pairwise")
  result <- as.data.frame(summary(object, infer = c(TRUE, TRUE), adjust = "none"))
  labels <- result[seq_along(term)]
  if (length(term) > 1) labels <- lapply(labels, function(x) paste0("(", x, ")"))
  data.frame(data = name, term = paste(term, collapse = ":"),
             contrast = do.call(paste, c(unname(labels), sep = " : ")),
             estimate = result$estimate, se = result$SE, df = result$df,
             lower = result$lower.CL, upper = result$upper.CL, p = result$p.value)
}
write_table(rbind(pairs_table(oats_aov, "oats", "variety"),
                  pairs_table(oats_aov, "oats", "nitrogen"),
                  pairs_table(oats_aov, "oats", c("variety", "nitrogen")),
                  pairs_table(mixed_aov, "mixed", "diet"),
                  pairs_table(mixed_aov, "mixed", "sex"),
                  pairs_table(mixed_aov, "mixed", "week"),
                  pairs_table(repeated_aov, "repeated", "load"),
                  pairs_table(repeated_aov, "repeated", "side"),
                  pairs_table(repeated_aov, "repeated", "group")),
            "aov_contrasts.csv")
write_versions("split_plot.R", c("emmeans", "afex"))
