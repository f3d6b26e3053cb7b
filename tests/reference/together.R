# Makes together_lmer.csv (REML of correlated effects of units, by lme4) and together_afex.csv
# (Greenhouse and Geisser's epsilon, by afex) from together_cells.csv and together_slopes.csv.
# Run from this folder: Rscript together.R

library(lme4)
suppressMessages(library(afex))
cells <- read.csv("together_cells.csv", stringsAsFactors = TRUE)
slopes <- read.csv("together_slopes.csv", stringsAsFactors = TRUE)
slopes$x <- slopes$day - mean(slopes$day)

rows <- function(design, fit) {
  se <- sqrt(diag(as.matrix(vcov(fit))))
  random <- as.data.frame(VarCorr(fit))
  kind <- ifelse(is.na(random$var2), "sd", "correlation")
  kind[random$grp == "Residual"] <- "residual"
  name <- ifelse(is.na(random$var2), random$var1, paste(random$var1, random$var2))
  data.frame(design = design, kind = c(rep("fixed", length(se)), kind),
             name = c(names(fixef(fit)), ifelse(is.na(name), "sigma", name)),
             estimate = c(unname(fixef(fit)), random$sdcor), se = c(unname(se), rep(NA, nrow(random))))
}
of_cells <- lmer(y ~ 0 + group:load + (0 + load | s), cells,
                 control = lmerControl(optimizer = "bobyqa"))
of_slopes <- lmer(y ~ x + (x | s), slopes)
write.csv(rbind(rows("cells", of_cells), rows("slopes", of_slopes)), "together_lmer.csv",
          row.names = FALSE)

classical <- aov_ez("s", "y", cells, between = "group", within = "load", fun_aggregate = mean)
found <- summary(classical)$pval.adjustments
write.csv(data.frame(term = rownames(found), epsilon = unname(found[, "GG eps"])),
          "together_afex.csv", row.names = FALSE)
