# Makes kruschke_jags.csv: posteriors of Kruschke's ANOVA models by JAGS, in long chains, and the
# data that they are of, kruschke_data_*.csv (simulated here; npk is R's).  Needs rjags alone.
# Run from this folder: Rscript kruschke_jags.R (13 minutes on an idle core)
#
# What it checks.  Kruschke (2015), Doing Bayesian Data Analysis, 2nd ed., chapters 19 to 21
# (doi:10.1016/B978-0-12-405888-0.09999-2), gives every term T the effects a_T[level] ~ iid
# N(0, sigma_T), one for each level with no constraint, and takes deflections, which sum to zero,
# of the cell means after sampling.  That is form "literal".  Form "margins" samples deflections,
# which are independent for every margin U of every term, and should have the same posterior:
#     deflections of U: the zero-sum part of iid N(0, v_U),
#     v_U = sum of sigma_T^2 / (levels of T outside U) over the fixed terms T that contain U,
#     grand mean ~ N(M, S^2 + sum of sigma_T^2 / (levels of T) over the fixed terms T),
# as a mean of n iid effects has the variance sigma_T^2 / n, and the projections onto grand mean
# and margins are orthogonal.  It is run for the first two designs.
#
# Priors of gaussian models: a0 ~ N(mean y, 5 sd y); every sigma_T, of factors and of units, ~
# Gamma with mode sd(y) / 2 and sd 2 sd(y); residual ~ U(sd(y) / 100, 10 sd(y)).  Logit: a0 ~
# N(0, 2), sigma_T ~ Gamma(shape 1.64, rate 0.32).  Slope of x less its mean ~ N(0, 2 sd(y) /
# sd(x)), sigma of the levels' slopes as above but per sd(x).  N(mean, sd); sds divide by n - 1.
#
# Quantities, on the link scale and for new units, of the whole factorial grid whatever the terms
# (factors outside of a margin averaged with equal weights): "mean A1:W2", "grand mean",
# "deflection A:W A1:W2", "contrast A A1-A2", "sigma A:W", "sigma s", "sigma residual"; with a
# covariate at its mean, and "slope A1", "grand slope", "deflection A:x A1", "contrast A:x A1-A2".
# `mcse` and `ess` (by coda) are of the mean, `mcse_sd` is of the sd; `rhat` is that of coda.

library(rjags)
RNGkind("Mersenne-Twister", "Inversion", "Rejection")

ITERATIONS <- 1000000
THIN <- 25  # neighbours are alike, and coda is slow on many draws

# `grid`: factors of the cells.  `terms`, `units`, `slopes`: what has effects with a sigma.
DESIGNS <- list(
  # y ~ A*W + Error(s/W), two rows for each s and W
  split_plot = list(grid = c("A", "W"), terms = c("A", "W", "A:W"), units = c("s", "s:W")),
  # y ~ N*P*K + Error(block)
  npk = list(grid = c("N", "P", "K"), units = "block",
             terms = c("N", "P", "K", "N:P", "N:K", "P:K", "N:P:K")),
  # p(successes, trials) ~ A*B + Error(s/B)
  binomial = list(grid = c("A", "B"), terms = c("A", "B", "A:B"), units = c("s", "s:B")),
  # y ~ A/W, and of the same data y ~ A:W: terms without their margins
  nested = list(grid = c("A", "W"), terms = c("A", "A:W")),
  cells = list(grid = c("A", "W"), terms = "A:W", data = "nested"),
  # y ~ A*x
  covariate = list(grid = "A", terms = "A", slopes = "A:x")
)

# ---- data ----

data_file <- function(name) sprintf("kruschke_data_%s.csv", name)
# All combinations, those of the last factor changing fastest.
combinations <- function(...) rev(expand.grid(rev(list(...)), stringsAsFactors = FALSE))

simulate <- function() {
  set.seed(2015)
  a <- c(A1 = -2, A2 = 2, A3 = 1)
  w <- c(W1 = -3, W2 = 1, W3 = 2)
  aw <- rbind(A1 = c(W1 = 1, W2 = 0.5, W3 = -1.5), A2 = c(-1, -0.5, 1.5))
  interaction_of <- function(data) aw[cbind(data$A, data$W)]

  split <- combinations(s = paste0("s", 1:8), W = names(w), replicate = 1:2)
  split$A <- ifelse(split$s < "s5", "A1", "A2")
  by_unit <- rep(rnorm(8, 0, 3), each = 6) + rep(rnorm(24, 0, 2), each = 2)
  split$y <- round(50 + a[split$A] + w[split$W] + interaction_of(split) + by_unit +
                     rnorm(48, 0, 1.5), 2)

  binomial <- combinations(s = sprintf("s%02d", 1:12), B = c("B1", "B2"))
  binomial$A <- ifelse(binomial$s < "s07", "A1", "A2")
  second <- binomial$A == "A2"
  logit <- 0.3 + 0.4 * second + ifelse(binomial$B == "B2", -0.9 + 0.6 * second, 0) +
    rep(rnorm(12, 0, 0.8), each = 2) + rnorm(24, 0, 0.4)
  binomial$successes <- rbinom(24, 20, plogis(logit))
  binomial$trials <- 20L

  nested <- combinations(A = c("A1", "A2"), W = names(w), replicate = 1:4)
  nested$y <- round(20 + a[nested$A] + w[nested$W] + 2 * interaction_of(nested) +
                      rnorm(24, 0, 3), 2)

  covariate <- combinations(A = names(a), replicate = 1:10)
  covariate$x <- round(rnorm(30, 12, 3), 1)
  slope <- c(A1 = 0.3, A2 = 1, A3 = 0.6)
  covariate$y <- round(30 + a[covariate$A] + slope[covariate$A] * (covariate$x - 12) +
                         rnorm(30, 0, 2), 2)

  # Yates (1937) by R: blocks of 4 plots with half of the 8 treatments each, N:P:K by blocks.
  npk <- with(datasets::npk, data.frame(block = paste0("b", block), N = paste0("N", N),
                                        P = paste0("P", P), K = paste0("K", K), y = yield))
  list(split_plot = split[c("s", "A", "W", "y")], npk = npk,
       binomial = binomial[c("s", "A", "B", "successes", "trials")],
       nested = nested[c("A", "W", "y")], covariate = covariate[c("A", "x", "y")])
}

parts <- function(term) strsplit(term, ":")[[1]]
subsets <- function(x) unlist(lapply(seq_along(x), combn, x = x, simplify = FALSE), FALSE)
levels_of <- function(data, factors) {
  lapply(data[factors], function(v) sort(unique(v), method = "radix"))
}
# Which of the combinations of a term's levels each row has.
index <- function(factors, levels, rows) {
  match(do.call(paste, rows[factors]), do.call(paste, do.call(combinations, levels[factors])))
}

# ---- models ----

key <- function(term) gsub(":", "", term)
sigma_of <- function(term) paste0("sigma.", key(term))
iid <- function(prefix, term, size) {
  sprintf("for (j in 1:%d) { %s%s[j] ~ dnorm(0, pow(%s, -2)) }", size, prefix, key(term),
          sigma_of(term))
}
cell_means <- function(sums) {
  sprintf("for (c in 1:C) { m[c] <- %s }", paste(c("a0", sums), collapse = " + "))
}
# The code of cell means m[c], and its data: Kruschke's effects of each term, ...
literal <- function(d, levels, cells) {
  size <- sapply(d$terms, function(t) prod(lengths(levels[parts(t)])))
  sums <- sprintf("a%1$s[c%1$s[c]]", key(d$terms))
  list(code = c("a0 ~ dnorm(M, pow(S, -2))", iid("a", d$terms, size), cell_means(sums)),
       data = setNames(lapply(d$terms, function(t) index(parts(t), levels, cells)),
                       paste0("c", key(d$terms))))
}
# ... or deflections B_U w of each margin U, in orthonormal bases B_U of its zero-sum arrays.
margins <- function(d, levels, cells) {
  size <- lengths(levels[d$grid])
  variance <- function(u) {
    over <- Filter(function(t) all(u %in% parts(t)), d$terms)
    n <- sapply(over, function(t) prod(size[setdiff(parts(t), u)]))
    paste0("pow(", sigma_of(over), ", 2) / ", n, collapse = " + ")
  }
  helmert <- function(n) apply(contr.helmert(n), 2, function(v) v / sqrt(sum(v^2)))
  basis <- function(u) Reduce(kronecker, lapply(d$grid, function(f) {
    if (f %in% u) helmert(size[[f]]) else matrix(1, size[[f]], 1)
  }))
  all_u <- unique(unlist(lapply(d$terms, function(t) subsets(parts(t))), FALSE))
  bases <- lapply(all_u, basis)
  v <- rep(sapply(all_u, variance), sapply(bases, ncol))
  k <- seq_along(v)
  sums <- sprintf("B[c, %d] * w[%d]", k, k)
  list(code = c(sprintf("a0 ~ dnorm(M, 1 / (pow(S, 2) + %s))", variance(NULL)),
                sprintf("w[%d] ~ dnorm(0, 1 / (%s))", k, v), cell_means(sums)),
       data = list(B = do.call(cbind, bases)))
}

# The whole model: `form` gives the cell means; units, scales and the likelihood are the same.
build <- function(d, rows, form) {
  units <- unique(unlist(lapply(d$units, parts)))
  levels <- levels_of(rows, union(d$grid, units))
  cells <- do.call(combinations, levels[d$grid])
  fixed <- form(d, levels, cells)
  data <- c(fixed$data, list(C = nrow(cells), n = nrow(rows), cell = index(d$grid, levels, rows)))
  code <- fixed$code
  predictor <- "m[cell[i]]"
  for (u in d$units) {
    code <- c(code, iid("u", u, prod(lengths(levels[parts(u)]))))
    predictor <- c(predictor, sprintf("u%1$s[r%1$s[i]]", key(u)))
    data[[paste0("r", key(u))]] <- index(parts(u), levels, rows)
  }
  if (!is.null(d$slopes)) {
    code <- c(code, "b0 ~ dnorm(0, pow(slope_sd, -2))", iid("b", d$slopes, nrow(cells)), sprintf(
      "for (c in 1:C) { slope[c] <- b0 + b%s[c] }", key(d$slopes)))
    predictor <- c(predictor, "slope[cell[i]] * x[i]")
    data <- c(data, list(x = rows$x - mean(rows$x), sd_x = sd(rows$x),
                         slope_sd = 2 * sd(rows$y) / sd(rows$x)))
  }
  predictor <- paste(predictor, collapse = " + ")
  if ("trials" %in% names(rows)) {
    data <- c(data, list(y = rows$successes, trials = rows$trials, M = 0, S = 2, shape = 1.64,
                         rate = 0.32))
    likelihood <- c(paste("logit(p[i]) <-", predictor), "y[i] ~ dbin(p[i], trials[i])")
  } else {
    s <- sd(rows$y)
    rate <- (s / 2 + sqrt((s / 2)^2 + 4 * (2 * s)^2)) / (2 * (2 * s)^2)
    data <- c(data, list(y = rows$y, M = mean(rows$y), S = 5 * s, shape = 1 + s / 2 * rate,
                         rate = rate, low = s / 100, high = 10 * s))
    likelihood <- c(paste("mu[i] <-", predictor), "y[i] ~ dnorm(mu[i], pow(sigma.residual, -2))")
    code <- c(code, "sigma.residual ~ dunif(low, high)")
  }
  code <- c(code, paste(sigma_of(c(d$terms, d$units)), "~ dgamma(shape, rate)"),
            if (!is.null(d$slopes)) paste(sigma_of(d$slopes), "~ dgamma(shape, rate * sd_x)"),
            "for (i in 1:n) {", likelihood, "}")
  sigmas <- c(d$terms, d$units, d$slopes, if ("low" %in% names(data)) "residual")
  list(code = paste(c("model {", code, "}"), collapse = "\n"), data = data, levels = levels[d$grid],
       sigmas = sigmas, monitor = c("m", if (!is.null(d$slopes)) "slope", sigma_of(sigmas)))
}

# ---- quantities ----

# Means, deflections and contrasts as weights on cells; by `word` of means or of slopes.
weights_on_cells <- function(levels, word, of = "") {
  weigh <- function(name, u, block) {
    blocks <- lapply(lengths(levels), function(n) matrix(1 / n, 1, n))
    blocks[u] <- lapply(lengths(levels[u]), block)
    `rownames<-`(Reduce(kronecker, blocks), name)
  }
  centre <- function(n) diag(n) - 1 / n
  pairs <- function(n) t(combn(n, 2, function(p) (1:n == p[1]) - (1:n == p[2])))
  rows <- lapply(subsets(names(levels)), function(u) {
    labels <- do.call(paste, c(do.call(combinations, levels[u]), sep = ":"))
    term <- paste0(paste(u, collapse = ":"), of)
    two <- if (length(u) == 1) combn(levels[[u]], 2, paste, collapse = "-")
    rbind(weigh(paste(word, labels), u, diag), weigh(paste("deflection", term, labels), u, centre),
          if (length(u) == 1) weigh(paste("contrast", term, two), u, pairs))
  })
  rbind(weigh(paste("grand", word), character(), diag), do.call(rbind, rows))
}
quantities <- function(draws, model) {
  of <- function(name, w) draws[, sprintf("%s[%d]", name, seq_len(ncol(w)))] %*% t(w)
  sigmas <- draws[, sigma_of(model$sigmas), drop = FALSE]
  colnames(sigmas) <- paste("sigma", model$sigmas)
  cbind(of("m", weights_on_cells(model$levels, "mean")),
        if ("slope" %in% model$monitor) of("slope", weights_on_cells(model$levels, "slope", ":x")),
        sigmas)
}

summarise <- function(chains) {
  all <- do.call(rbind, chains)
  means <- colMeans(all)
  sds <- apply(all, 2, sd)
  as_coda <- function(f) as.mcmc.list(lapply(chains, function(x) mcmc(f(x))))
  squares <- function(x) sweep(x, 2, means)^2
  ess <- effectiveSize(as_coda(identity))
  mcse_sd <- apply(squares(all), 2, sd) / sqrt(effectiveSize(as_coda(squares))) / (2 * sds)
  rhat <- gelman.diag(as_coda(identity), autoburnin = FALSE, multivariate = FALSE)$psrf[, 1]
  bounds <- t(apply(all, 2, quantile, c(0.025, 0.5, 0.975)))
  data.frame(quantity = colnames(all), mean = means, sd = sds, mcse = sds / sqrt(ess), mcse_sd,
             ess, rhat, q2.5 = bounds[, 1], q50 = bounds[, 2], q97.5 = bounds[, 3])
}

run <- function(name, form) {
  start <- proc.time()[["elapsed"]]
  d <- DESIGNS[[name]]
  rows <- read.csv(data_file(if (is.null(d$data)) name else d$data))
  model <- build(d, rows, list(literal = literal, margins = margins)[[form]])
  # This module draws all effects jointly, one at a time they move slowly.  But of binomial models
  # its draws are off by 0.007 sd (so in one that quadrature solves; JAGS 4.3.1).
  if ("trials" %in% names(rows)) unload.module("glm", TRUE) else load.module("glm", quiet = TRUE)
  seeds <- 1000 * match(name, names(DESIGNS)) + 100 * (form == "margins") + 1:4
  inits <- lapply(seeds, function(n) list(.RNG.name = "base::Mersenne-Twister", .RNG.seed = n))
  jags <- jags.model(textConnection(model$code), model$data, inits, 4, 2000, quiet = TRUE)
  update(jags, ITERATIONS / 20, progress.bar = "none")
  draws <- coda.samples(jags, model$monitor, ITERATIONS, THIN, progress.bar = "none")
  table <- summarise(lapply(draws, function(x) quantities(as.matrix(x), model)))
  cat(sprintf("%-10s %s: mcse / sd %.4f, mcse_sd / sd %.4f, ess %.0f, rhat %.4f at worst; %.0f s\n",
              name, form, max(table$mcse / table$sd), max(table$mcse_sd / table$sd),
              min(table$ess), max(table$rhat), proc.time()[["elapsed"]] - start))
  stopifnot(table$mcse < 0.02 * table$sd, table$mcse_sd < 0.02 * table$sd, table$rhat < 1.01)
  data.frame(design = name, form, table)
}

# Both forms of a design, apart by no more than their Monte Carlo errors.
compare <- function(one, other) {
  stopifnot(one$quantity == other$quantity)
  z <- c((one$mean - other$mean) / sqrt(one$mcse^2 + other$mcse^2),
         (one$sd - other$sd) / sqrt(one$mcse_sd^2 + other$mcse_sd^2))
  cat(sprintf("%-10s literal and margins: %d means and sds, %.2f errors apart at most, rms %.2f\n",
              one$design[1], length(z), max(abs(z)), sqrt(mean(z^2))))
  stopifnot(abs(z) < 4)
}

data <- simulate()
for (name in names(data)) {
  write.csv(data[[name]], data_file(name), quote = FALSE, row.names = FALSE)
}
form <- c("literal", "margins", "literal", "margins", rep("literal", 4))
tables <- Map(run, names(DESIGNS)[c(1, 1, 2, 2, 3:6)], form)
compare(tables[[1]], tables[[2]])
compare(tables[[3]], tables[[4]])
result <- do.call(rbind, tables)
numbers <- sapply(result, is.double)
result[numbers] <- lapply(result[numbers], formatC, digits = 6, format = "g", width = 1)
write.csv(result, "kruschke_jags.csv", quote = FALSE, row.names = FALSE)
