# Makes bayes_factors.csv: Bayes factors of linear models by the package BayesFactor, against the
# model of the grand mean alone, whose logs are those of JZS priors with its default scales (fixed
# 1/2, random 1, continuous sqrt(2)/4) or with fixed scales of sqrt(2)/2 ("wide").  `error` is the
# package's own, relative, which is about that of the log.
# The models of `repeated` have up to ten g's.  There the package's own choice, importance
# sampling, ends low, and differs between seeds by more than its errors: for group + load + side +
# group:load + load:side 28.17, 28.09, 28.07, 28.08 and 28.04 with errors of .02 to .07; sampling
# g from its prior ("simple") gives 28.16, 28.18 and 28.19 with errors of .01.  So that is used.
# Run from this folder: Rscript bayes_factors.R (ten minutes)

suppressMessages(library(BayesFactor))
source("tidy.R")
set.seed(1)

oats <- read_data("../../bambi_anova/datasets/oats.csv", c("block", "variety", "nitrogen"))
repeated <- read_data("repeated.csv", c("person", "group", "load", "side"))
mixed <- read_data("mixed.csv", c("animal", "diet", "sex", "week"))
covariate <- read_data("kruschke_data_covariate.csv", "A")

# All sets of terms in which no term is without its parts.
hierarchical <- function(terms) {
  sets <- list(character())
  for (term in terms[order(lengths(strsplit(terms, ":")))]) {
    parts <- terms[sapply(strsplit(terms, ":"), function(own)
      all(own %in% strsplit(term, ":")[[1]]) && length(own) < length(strsplit(term, ":")[[1]]))]
    sets <- c(sets, lapply(Filter(function(own) all(parts %in% own), sets), c, term))
  }
  lapply(sets, function(own) terms[terms %in% own])
}

run <- function(case, data, response, terms, units, random, rscaleFixed = "medium",
                method = "auto", iterations = 200000) {
  rows <- lapply(hierarchical(terms), function(own) {
    right <- c(own, units)
    if (!length(right)) return(NULL)
    formula <- as.formula(paste(response, "~", paste(right, collapse = " + ")))
    found <- lmBF(formula, data, whichRandom = random, rscaleFixed = rscaleFixed,
                  iterations = iterations, method = method, progress = FALSE)@bayesFactor
    name <- if (length(own)) paste(own, collapse = " + ") else "null"
    data.frame(case = case, model = name, log_bf = found$bf, error = found$error)
  })
  do.call(rbind, rows)
}

three <- c("group", "load", "side", "group:load", "group:side", "load:side", "group:load:side")
table <- rbind(
  run("oats", oats, "yield", c("variety", "nitrogen", "variety:nitrogen"),
      c("block", "block:variety"), "block"),
  run("wide", oats, "yield", c("variety", "nitrogen", "variety:nitrogen"),
      c("block", "block:variety"), "block", "wide"),
  run("repeated", repeated, "time", three, c("person", "person:load", "person:side"), "person",
      method = "simple", iterations = 1000000),
  run("mixed", mixed, "weight", c("diet", "sex", "week", "diet:week"), "animal", "animal"),
  run("between", mixed[mixed$week == "w1", ], "weight", c("diet", "sex", "diet:sex"), NULL, NULL),
  run("covariate", covariate, "y", c("A", "x"), NULL, NULL)
)
numbers <- sapply(table, is.double)
table[numbers] <- lapply(table[numbers], formatC, digits = 7, format = "g", width = 1)
write.csv(table, "bayes_factors.csv", quote = FALSE, row.names = FALSE)
write_versions("bayes_factors.R", "BayesFactor")
