# Makes oats_lmer.csv (the oats experiment as a mixed model by REML) and oats_aov.csv (its
# classical split-plot table).
# Run from this folder: Rscript oats.R

source("tidy.R")

oats <- read_data("../../bambi_anova/datasets/oats.csv", c("block", "variety", "nitrogen"))

lmer <- fit_lmer(yield ~ variety * nitrogen + (1 | block) + (1 | block:variety), oats)
table <- tidy_model(lmer, paste("lme4", version_of("lme4")), c("variety", "nitrogen"))
write_table(table, "oats_lmer.csv")

aov <- aov(yield ~ variety * nitrogen + Error(block / variety), oats)
write_table(tidy_aov(aov), "oats_aov.csv")
write_versions("oats.R", c("lme4", "emmeans"))
