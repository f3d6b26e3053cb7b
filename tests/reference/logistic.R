# Makes memory_glm.csv: logistic ANOVA by maximum likelihood with sum coding, of the package's
# memory data in 82 cells of participant x trial_type, logit scale: without participants, with
# participants nested in condition as fixed effects, and with standard errors that are robust
# against clustering by participant.
# Run from this folder: Rscript logistic.R

source("tidy.R")

trials <- read_data("../../bambi_anova/datasets/memory.csv",
                    c("participant", "condition", "trial_type"))
cells <- aggregate(cbind(errors, markers) ~ participant + condition + trial_type, trials, sum)
stopifnot(nrow(cells) == 82)
tight <- glm.control(epsilon = 1e-14, maxit = 100)

plain <- glm(cbind(errors, markers - errors) ~ condition * trial_type, binomial, cells,
             control = tight)

# Sum coding of the participants of each condition: a column for each but the last of them.
nested <- do.call(cbind, lapply(levels(cells$condition), function(level) {
  own <- sort(unique(as.character(cells$participant[cells$condition == level])), method = "radix")
  columns <- sapply(head(own, -1), function(p) {
    (cells$participant == p) - (cells$participant == tail(own, 1))
  })
  colnames(columns) <- head(own, -1)
  columns
}))
fixed <- glm(cbind(errors, markers - errors) ~ condition * trial_type + nested, binomial, cells,
             control = tight)
stopifnot(!anyNA(coef(fixed)))

# CR1 without the (N - 1) / (N - P) factor: G / (G - 1) B M B with B the inverse information and
# M the sum over clusters of the outer products of their summed scores.
clustered <- function(fit, cluster) {
  x <- model.matrix(fit)
  scores <- rowsum(x * (cells$errors - cells$markers * fitted(fit)), cluster)
  bread <- summary(fit)$cov.unscaled
  g <- nrow(scores)
  g / (g - 1) * bread %*% crossprod(scores) %*% bread
}

terms <- c("(Intercept)", "condition1", "trial_type1", "condition1:trial_type1")
rows <- function(units, fit, covariance) {
  data.frame(units, term = terms, estimate = coef(fit)[terms],
             se = sqrt(diag(covariance)[terms]))
}
write_table(rbind(rows("none", plain, vcov(plain)),
                  rows("fixed", fixed, vcov(fixed)),
                  rows("robust", plain, clustered(plain, cells$participant))),
            "memory_glm.csv")

# Differences of the fitted probabilities, by the delta method: the cells of the plain fit, and
# of the fixed fit the averages over its participants.
responses <- function(units, fit, covariance, by) {
  x <- model.matrix(fit)
  p <- fitted(fit)
  means <- rowsum(p, by) / as.vector(table(by))
  slopes <- rowsum(x * p * (1 - p), by) / as.vector(table(by))
  w <- rbind("A - B" = c(1, -1, 1, -1) / 2, "x - y" = c(1, 1, -1, -1) / 2)
  data.frame(units, contrast = rownames(w), estimate = as.vector(w %*% means),
             se = sqrt(diag(w %*% slopes %*% covariance %*% t(slopes) %*% t(w))))
}
by <- interaction(cells$condition, cells$trial_type)  # A.x, B.x, A.y, B.y
write_table(rbind(responses("none", plain, vcov(plain), by),
                  responses("fixed", fixed, vcov(fixed), by),
                  responses("robust", plain, clustered(plain, cells$participant), by)),
            "memory_glm_response.csv")
write_versions("logistic.R", "stats")
