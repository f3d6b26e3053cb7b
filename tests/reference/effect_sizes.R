# Makes effect_sizes.csv: partial omega squared of classical tables, Cohen's d of two groups,
# Cliff's delta and the probability of superiority of ratings, by effectsize.
# Run from this folder: Rscript effect_sizes.R

source("tidy.R")
suppressMessages(library(effectsize))  # its functions call each other by name

oats <- read_data("../../bambi_anova/datasets/oats.csv", c("block", "variety", "nitrogen"))
mixed <- read_data("mixed.csv", c("animal", "diet", "sex", "week"))
repeated <- read_data("repeated.csv", c("person", "group", "load", "side"))
ratings <- read_data("ratings.csv", c("s", "group", "task"))

omega <- function(data, name, formula) {
  found <- effectsize::omega_squared(aov(formula, data), partial = TRUE, ci = NULL)
  data.frame(data = name, term = found$Parameter, size = "omega2", value = found$Omega2_partial)
}
group <- function(level) as.numeric(ratings$y)[ratings$group == level]
delta <- effectsize::cliffs_delta(group("a"), group("b"), ci = NULL)$r_rank_biserial
above <- effectsize::p_superiority(group("a"), group("b"), parametric = FALSE, ci = NULL)
boys <- mixed[mixed$week == "w1", ]
d <- effectsize::cohens_d(weight ~ sex, data = boys, ci = NULL)$Cohens_d

write_table(rbind(
  omega(oats, "oats", yield ~ variety * nitrogen + Error(block / variety)),
  omega(mixed, "mixed", weight ~ diet * sex * week + Error(animal / week)),
  omega(repeated, "repeated", time ~ group * load * side + Error(person / (load * side))),
  data.frame(data = "ratings", term = "group", size = c("cliffs_delta", "superiority"),
             value = c(delta, above[[1]])),
  data.frame(data = "mixed", term = "sex", size = "cohens_d", value = d)
), "effect_sizes.csv")
write_versions("effect_sizes.R", "effectsize")
