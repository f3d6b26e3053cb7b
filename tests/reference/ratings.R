# Makes ratings_clm.csv and ratings_jags.csv from ratings.csv.  Needs ordinal and rjags.
# Run from this folder: Rscript ratings.R cumulative thresholded_normal (ten minutes; or one by one)
#
# clm: maximum likelihood of y ~ group * task, sum to zero contrasts, P(y <= k) = F(c_k - eta).
# jags: posteriors of y ~ group * task + Error(s), every level of every term with an effect of its
# own, iid N(0, sigma_T), as Kruschke (2015) writes analyses of variance.
#   cumulative: thresholds N(quantile of k / 7, 2), in order (out of order the data have no
#     probability); effects less their mean over the four cells; sigma_T ~ Gamma(1.64, 0.32).
#   thresholded_normal: chapter 23: thresholds 1.5, N(k + 1 / 2, 2) for k = 2 to 5, and 6.5;
#     a0 ~ N(mean y, 5 sd y), sigma_T ~ Gamma of mode sd(y) / 2 and sd 2 sd(y),
#     sigma ~ U(sd(y) / 100, 10 sd(y)).
# Quantities: "mean a:x" (latent, a subject of effect zero), "threshold_k", "sigma s", "sigma".

library(ordinal)
library(rjags)
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(23)
data <- read.csv("ratings.csv", stringsAsFactors = TRUE)
data$rating <- factor(data$y, ordered = TRUE)
K <- 7

# ---- clm ----
rows <- lapply(c("probit", "logit"), function(link) {
  fit <- clm(rating ~ group * task, data = data, link = link,
             contrasts = list(group = "contr.sum", task = "contr.sum"))
  data.frame(link = link, name = c(names(coef(fit)), "logLik"),
             value = c(unname(coef(fit)), as.numeric(logLik(fit))))
})
write.csv(do.call(rbind, rows), "ratings_clm.csv", row.names = FALSE)

# ---- jags ----
effects <- "
  for (i in 1:2) { a[i] ~ dnorm(0, pow(sa, -2)) }
  for (j in 1:2) { b[j] ~ dnorm(0, pow(sb, -2)) }
  for (i in 1:2) { for (j in 1:2) { ab[i, j] ~ dnorm(0, pow(sab, -2))
    raw[i, j] <- a0 + a[i] + b[j] + ab[i, j]
    cell[i, j] <- raw[i, j] - centre * mean(raw) } }
  for (k in 1:S) { u[k] ~ dnorm(0, pow(ss, -2)) }
  sa ~ dgamma(shape, rate); sb ~ dgamma(shape, rate)
  sab ~ dgamma(shape, rate); ss ~ dgamma(shape, rate)
  for (n in 1:N) {
    mu[n] <- cell[group[n], task[n]] + u[s[n]]
    pr[n, 1] <- phi((c[1] - mu[n]) / sigma)
    for (k in 2:(K - 1)) {
      pr[n, k] <- max(0, phi((c[k] - mu[n]) / sigma) - phi((c[k - 1] - mu[n]) / sigma))
    }
    pr[n, K] <- 1 - phi((c[K - 1] - mu[n]) / sigma)
    y[n] ~ dcat(pr[n, 1:K])
  }"
models <- list(
  cumulative = "
  for (k in 1:(K - 1)) { c[k] ~ dnorm(middle[k], 1 / 4) }
  a0 <- 0
  sigma <- 1",
  thresholded_normal = "
  c[1] <- 1.5
  for (k in 2:(K - 2)) { c[k] ~ dnorm(k + 0.5, 1 / 4) }
  c[K - 1] <- K - 0.5
  a0 ~ dnorm(m, pow(5 * sd, -2))
  sigma ~ dunif(sd / 100, 10 * sd)")
common <- with(data, list(y = y, group = as.integer(group), task = as.integer(task),
                          s = as.integer(s), N = nrow(data), S = nlevels(s), K = K))
sdy <- sd(data$y)
rate <- (sdy / 2 + sqrt((sdy / 2)^2 + 16 * sdy^2)) / (8 * sdy^2)
given <- list(
  cumulative = c(common, list(middle = round(qnorm(1:6 / 7), 4), shape = 1.64, rate = 0.32,
                              centre = 1)),
  thresholded_normal = c(common, list(m = mean(data$y), sd = sdy, shape = 1 + sdy / 2 * rate,
                                      rate = rate, centre = 0)))
start <- list(cumulative = list(c = seq(-1.5, 1.5, length.out = 6)),
              thresholded_normal = list(c = c(NA, 2.5, 3.5, 4.5, 5.5, NA)))
chosen <- commandArgs(TRUE)
found <- lapply(chosen, function(name) {
  text <- paste0("model {", models[[name]], effects, "\n}")
  inits <- lapply(1:3, function(i) c(start[[name]], list(.RNG.seed = i,
                                                        .RNG.name = "base::Mersenne-Twister")))
  model <- jags.model(textConnection(text), given[[name]], inits, 3, 1000, quiet = TRUE)
  draws <- coda.samples(model, c("cell", "c", "ss", "sigma"), 8000, 2)
  stats <- summary(draws)$statistics
  ess <- effectiveSize(draws)[rownames(stats)]
  keep <- stats[, "SD"] > 1e-9
  old <- rownames(stats)[keep]
  new <- sub("^c\\[(.*)\\]$", "threshold_\\1", old)
  new <- sub("^ss$", "sigma s", new)
  for (i in 1:2) for (j in 1:2) {
    new <- sub(sprintf("cell[%d,%d]", i, j),
               sprintf("mean %s:%s", levels(data$group)[i], levels(data$task)[j]), new,
               fixed = TRUE)
  }
  data.frame(family = name, quantity = new, mean = stats[keep, "Mean"], sd = stats[keep, "SD"],
             ess = ess[keep])
})
file <- "ratings_jags.csv"
known <- if (file.exists(file)) read.csv(file) else NULL
all <- rbind(known[!known$family %in% chosen, ], do.call(rbind, found))
write.csv(all[order(all$family), ], file, row.names = FALSE)
