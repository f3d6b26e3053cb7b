# Makes of choices.csv
#   choices_nnet.csv  maximum likelihood of way ~ group + task by nnet::multinom, against "bus";
#   choices_jags.csv  posterior means and sds by JAGS of Kruschke's chapter 22, in our words: softmax
#                     regression, and a sequence of splits (bus or not; if not, car or walk).  Log
#                     odds are sums of effects of group, task, both and the subject, every level of
#                     which has an effect of its own.
# Run from this folder: Rscript choices.R; or name one of the two JAGS models to make it alone.

library(rjags)
data <- read.csv("choices.csv", stringsAsFactors = TRUE)
wanted <- commandArgs(TRUE)

if (!length(wanted)) {
  fit <- nnet::multinom(way ~ group + task, data, trace = FALSE, reltol = 1e-12)
  table <- as.data.frame(as.table(coef(fit)))
  names(table) <- c("way", "term", "value")
  extra <- data.frame(way = "", term = "logLik", value = as.numeric(logLik(fit)))
  write.csv(rbind(table, extra), "choices_nnet.csv", row.names = FALSE)
  wanted <- c("softmax", "splits")
}

effects <- "
  for (k in 1:2) {
    a0[k] ~ dnorm(0, 1 / 2^2)
    sda[k] ~ dgamma(1.64, 0.32)
    sdb[k] ~ dgamma(1.64, 0.32)
    sdab[k] ~ dgamma(1.64, 0.32)
    sds[k] ~ dgamma(1.64, 0.32)
    for (i in 1:2) {
      a[i, k] ~ dnorm(0, 1 / sda[k]^2)
      b[i, k] ~ dnorm(0, 1 / sdb[k]^2)
      for (j in 1:2) {
        ab[i, j, k] ~ dnorm(0, 1 / sdab[k]^2)
        m[i, j, k] <- a0[k] + a[i, k] + b[j, k] + ab[i, j, k]
      }
    }
    for (s in 1:16) { u[s, k] ~ dnorm(0, 1 / sds[k]^2) }
  }
  for (s in 1:16) { for (j in 1:2) { for (k in 1:2) {
    eta[s, j, k] <- m[A[s], j, k] + u[s, k]
  } } }
"
models <- list(
  softmax = paste("model {", effects, "
    for (s in 1:16) { for (j in 1:2) {
      y[s, j, 1:3] ~ dmulti(p[s, j, 1:3], n)
      odds[s, j, 1] <- 1
      odds[s, j, 2] <- exp(eta[s, j, 1])
      odds[s, j, 3] <- exp(eta[s, j, 2])
      for (k in 1:3) { p[s, j, k] <- odds[s, j, k] / sum(odds[s, j, 1:3]) }
    } }
  }"),
  splits = paste("model {", effects, "
    for (s in 1:16) { for (j in 1:2) {
      y[s, j, 1:3] ~ dmulti(p[s, j, 1:3], n)
      p[s, j, 1] <- ilogit(eta[s, j, 1])
      p[s, j, 2] <- (1 - ilogit(eta[s, j, 1])) * ilogit(eta[s, j, 2])
      p[s, j, 3] <- (1 - ilogit(eta[s, j, 1])) * (1 - ilogit(eta[s, j, 2]))
    } }
  }")
)
counts <- unclass(table(data$s, data$task, data$way))
given <- list(y = array(counts, dim(counts)), n = 10,
              A = as.integer(data$group)[match(1:16, data$s)])
rows <- lapply(wanted, function(name) {
  fit <- jags.model(textConnection(models[[name]]), given, n.chains = 4,
                    inits = lapply(1:4, function(k) list(.RNG.name = "base::Wichmann-Hill",
                                                         .RNG.seed = k)), quiet = TRUE)
  update(fit, 4000, progress.bar = "none")
  draws <- coda.samples(fit, c("m", "sda", "sdb", "sdab", "sds"), n.iter = 40000, thin = 8,
                        progress.bar = "none")
  found <- as.matrix(draws)
  data.frame(model = name, name = colnames(found), mean = colMeans(found),
             sd = apply(found, 2, sd), mcse = apply(found, 2, sd) /
               sqrt(coda::effectiveSize(draws)))
})
file <- "choices_jags.csv"
known <- if (file.exists(file)) read.csv(file) else NULL
kept <- known[!(known$model %in% wanted), ]
write.csv(rbind(kept, do.call(rbind, rows)), file, row.names = FALSE)
