# Makes memory_glmer_glmmtmb.csv: the memory experiment, aggregated to its 82 cells of
# participant x trial_type, as a binomial mixed model by lme4 and by glmmTMB; all estimates
# are on the logit scale.
# Run from this folder: Rscript memory.R

source("tidy.R")

trials <- read_data("../../bambi_anova/datasets/memory.csv",
                    c("participant", "condition", "trial_type"))
cells <- aggregate(cbind(errors, markers) ~ participant + condition + trial_type, trials, sum)
stopifnot(nrow(cells) == 82)

formula <- cbind(errors, markers - errors) ~ condition * trial_type +
  (1 | participant) + (1 | participant:trial_type)
glmer <- lme4::glmer(formula, cells, binomial, control = lme4::glmerControl(
  "bobyqa", optCtrl = list(rhoend = 1e-9)))
glmmtmb <- glmmTMB::glmmTMB(formula, cells, binomial)

factors <- c("condition", "trial_type")
a <- tidy_model(glmer, paste("lme4", version_of("lme4")), factors)
b <- tidy_model(glmmtmb, paste("glmmTMB", version_of("glmmTMB")), factors)
stopifnot(a$level == b$level | is.na(a$level), a$term == b$term,
          abs(a$estimate - b$estimate) < 1e-3, is.na(a$se) | abs(a$se - b$se) < 1e-3)
write_table(rbind(a, b), "memory_glmer_glmmtmb.csv")
write_versions("memory.R", c("lme4", "glmmTMB", "emmeans"))
