# Makes mixed_lmer.csv (mixed.csv, two between and one within factor, as a mixed model by
# REML) and mixed_aov.csv (its classical table, checked against the type 3 tests of afex).
# Run from this folder: Rscript mixed.R

source("tidy.R")

mixed <- read_data("mixed.csv", c("animal", "diet", "sex", "week"))

lmer <- fit_lmer(weight ~ diet * sex * week + (1 | animal), mixed)
table <- tidy_model(lmer, paste("lme4", version_of("lme4")), c("diet", "sex", "week"))
write_table(table, "mixed_lmer.csv")

aov <- tidy_aov(aov(weight ~ diet * sex * week + Error(animal / week), mixed))
type3 <- afex::aov_ez("animal", "weight", mixed, between = c("diet", "sex"), within = "week",
                      type = 3, anova_table = list(correction = "none"))$anova_table
tests <- aov[match(rownames(type3), aov$term), ]
stopifnot(nrow(type3) == 7, all.equal(tests$F, type3$F), all.equal(tests$p, type3[["Pr(>F)"]]),
          all.equal(as.numeric(tests$df), type3[["num Df"]]))
write_table(aov, "mixed_aov.csv")
write_versions("mixed.R", c("lme4", "emmeans", "afex"))
