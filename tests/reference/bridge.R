# Makes bridge.csv: log marginal likelihoods of Kruschke's models by the package bridgesampling,
# from draws of JAGS, for rows of repeated.csv (gaussian) and kruschke_data_binomial.csv.
# Run from this folder: Rscript bridge.R (a few minutes)
#
# Priors: every level of every term, and every unit, ~ N(0, sigma_T); gaussian: a0 ~ N(mean y,
# 5 sd y), sigma_T ~ Gamma with mode sd(y) / 2 and sd 2 sd(y), residual ~ U(sd(y) / 100, 10 sd(y));
# logit: a0 ~ N(0, 2), sigma_T ~ Gamma(shape 1.64, rate 0.32).

suppressMessages({library(rjags); library(bridgesampling)})
source("tidy.R")

repeated <- read_data("repeated.csv", c("person", "group", "load", "side"))
binomial <- read_data("kruschke_data_binomial.csv", c("s", "A", "B"))

gamma_of <- function(mode, sd) {
  rate <- (mode + sqrt(mode^2 + 4 * sd^2)) / (2 * sd^2)
  c(shape = 1 + mode * rate, rate = rate)
}

# Draw from a model of some terms, and bridge.  `codes`: each row's level of each term.
run <- function(case, codes, y, trials = NULL, seed) {
  gaussian <- is.null(trials)
  s <- sd(y)
  prior <- if (gaussian) gamma_of(s / 2, 2 * s) else c(shape = 1.64, rate = 0.32)
  centre <- if (gaussian) c(mean(y), 5 * s) else c(0, 2)
  sizes <- sapply(codes, max)
  names <- paste0("a", seq_along(codes))
  eta <- paste(c("a0", sprintf("%s[c%d[i]]", names, seq_along(codes))), collapse = " + ")
  likelihood <- if (gaussian) paste0("y[i] ~ dnorm(", eta, ", 1 / sigma^2)") else
    paste0("y[i] ~ dbin(ilogit(", eta, "), n[i])")
  effects <- sprintf("s%1$d ~ dgamma(%2$.15g, %3$.15g)\nfor (j in 1:%4$d) { a%1$d[j] ~ dnorm(0, 1 / s%1$d^2) }",
                     seq_along(codes), prior[["shape"]], prior[["rate"]], sizes)
  text <- paste0("model {\nfor (i in 1:N) { ", likelihood, " }\n",
                 sprintf("a0 ~ dnorm(%.15g, %.15g)\n", centre[1], 1 / centre[2]^2),
                 if (gaussian) sprintf("sigma ~ dunif(%.15g, %.15g)\n", s / 100, 10 * s),
                 paste(effects, collapse = "\n"), "\n}")
  data <- c(list(N = length(y), y = y, n = trials), setNames(codes, paste0("c", seq_along(codes))))
  inits <- lapply(1:4, function(i) list(.RNG.name = "base::Mersenne-Twister", .RNG.seed = seed + i))
  model <- jags.model(textConnection(text), data[!sapply(data, is.null)], inits, 4, quiet = TRUE)
  update(model, 5000, progress.bar = "none")
  watched <- c("a0", names, paste0("s", seq_along(codes)), if (gaussian) "sigma")
  draws <- do.call(rbind, coda.samples(model, watched, 200000, thin = 20, progress.bar = "none"))
  density <- function(x, data) {
    value <- rep(x[["a0"]], length(y))
    total <- dnorm(x[["a0"]], centre[1], centre[2], log = TRUE)
    for (k in seq_along(codes)) {
      a <- x[sprintf("a%d[%d]", k, seq_len(sizes[k]))]
      sigma <- x[[paste0("s", k)]]
      value <- value + a[codes[[k]]]
      total <- total + sum(dnorm(a, 0, sigma, log = TRUE)) +
        dgamma(sigma, prior[["shape"]], prior[["rate"]], log = TRUE)
    }
    if (!gaussian) return(total + sum(dbinom(y, trials, plogis(value), log = TRUE)))
    total + sum(dnorm(y, value, x[["sigma"]], log = TRUE)) +
      dunif(x[["sigma"]], s / 100, 10 * s, log = TRUE)
  }
  positive <- grepl("^s", colnames(draws))
  lower <- setNames(ifelse(positive, 0, -Inf), colnames(draws))
  upper <- setNames(rep(Inf, ncol(draws)), colnames(draws))
  if (gaussian) { lower["sigma"] <- s / 100; upper["sigma"] <- 10 * s }
  set.seed(seed)
  found <- bridge_sampler(draws, log_posterior = density, data = NULL, lb = lower, ub = upper,
                          method = "normal", silent = TRUE)
  data.frame(case = case, log_marginal_likelihood = found$logml,
             error = error_measures(found)$cv)
}

code <- function(...) as.integer(interaction(..., drop = TRUE))
r <- repeated
b <- binomial
table <- rbind(
  run("gaussian null", list(code(r$person)), r$time, seed = 1),
  run("gaussian", list(code(r$load), code(r$side), code(r$person), code(r$person, r$side)),
      r$time, seed = 2),
  run("binomial null", list(code(b$s), code(b$s, b$B)), b$successes, b$trials, seed = 3),
  run("binomial", list(code(b$A), code(b$B), code(b$A, b$B), code(b$s), code(b$s, b$B)),
      b$successes, b$trials, seed = 4)
)
table$log_marginal_likelihood <- formatC(table$log_marginal_likelihood, digits = 8, format = "g")
table$error <- formatC(table$error, digits = 2, format = "g")
write.csv(table, "bridge.csv", quote = FALSE, row.names = FALSE)
write_versions("bridge.R", c("rjags", "bridgesampling"))
