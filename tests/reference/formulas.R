# Makes emmeans_formulas.csv: emmeans of models whose formulas have numeric columns, offsets and
# incomplete cells.  Run from this folder: Rscript formulas.R

source("tidy.R")
library(emmeans)

oats <- read_data("../../bambi_anova/datasets/oats.csv", c("block", "variety"))
oats$nitrogen <- as.numeric(as.character(oats$nitrogen))
oats$cell <- factor(oats$nitrogen)
trials <- read_data("../../bambi_anova/datasets/memory.csv",
                    c("participant", "condition", "trial_type"))
cells <- aggregate(cbind(errors, markers) ~ participant + condition + trial_type, trials, sum)
cells <- cells[order(cells$trial_type, cells$condition, cells$participant), ]
cells$place <- seq_len(nrow(cells)) %% 7

tidy <- function(model, asked, object) {
  table <- as.data.frame(summary(object, infer = FALSE))
  found <- intersect(c("emmean", "estimate", "response", "prob", "rate", "nitrogen.trend"),
                     names(table))[1]
  labels <- setdiff(names(table), c(found, "SE", "df", "emmean", "estimate"))
  labels <- setdiff(labels, c("response", "prob", "rate"))
  text <- apply(table[labels], 1, function(row) paste(trimws(row), collapse = "|"))
  data.frame(model, asked, labels = text, estimate = table[[found]], se = table$SE)
}

slopes <- lm(yield ~ variety * nitrogen + block, oats)
bent <- lm(yield ~ variety + nitrogen + I(nitrogen^2) + block, oats)
holes <- lm(yield ~ variety * cell, oats[!(oats$variety == "Victory" & oats$block %in% c("I", "V")), ])
rates <- glm(cbind(errors, markers - errors) ~ condition * trial_type + place, binomial, cells,
             control = list(epsilon = 1e-14))
counts <- glm(errors ~ condition * trial_type + offset(log(markers)), poisson, cells,
              control = list(epsilon = 1e-14))

rows <- rbind(
  tidy("slopes", "means variety", emmeans(slopes, ~variety)),
  tidy("slopes", "means variety at", emmeans(slopes, ~ nitrogen + variety, at = list(nitrogen = c(0.1, 0.5)))),
  tidy("slopes", "slopes variety", emtrends(slopes, ~variety, "nitrogen")),
  tidy("slopes", "contrasts of slopes", pairs(emtrends(slopes, ~variety, "nitrogen"))),
  tidy("bent", "means variety", emmeans(bent, ~variety)),
  tidy("bent", "slopes at", emtrends(bent, ~nitrogen, "nitrogen", delta.var = 1e-6, at = list(nitrogen = c(0.1, 0.5)))),
  tidy("holes", "means variety", emmeans(holes, ~variety)),
  tidy("holes", "means variety observed", emmeans(holes, ~variety, weights = "cells")),
  tidy("holes", "contrasts variety", contrast(emmeans(holes, ~variety), "consec")),
  tidy("rates", "means condition", emmeans(rates, ~condition)),
  tidy("rates", "means condition response", emmeans(regrid(ref_grid(rates)), ~condition)),
  tidy("rates", "contrasts trial_type response",
       pairs(emmeans(regrid(ref_grid(rates)), ~trial_type))),
  tidy("counts", "means condition", emmeans(counts, ~condition, offset = log(mean(cells$markers)))),
  tidy("counts", "contrasts trial_type", pairs(emmeans(counts, ~trial_type, offset = log(mean(cells$markers)))))
)
write_table(rows, "emmeans_formulas.csv")
