# Makes spread_jags.csv from spread.csv: posterior means and sds by JAGS of normal rows whose log sd
# is a sum of effects of group and cond, as it is written, with a free effect for every level.
# Run from this folder: Rscript spread_jags.R

library(rjags)
data <- read.csv("spread.csv", stringsAsFactors = TRUE)
gamma_of <- function(mode, sd) {
  rate <- (mode + sqrt(mode^2 + 4 * sd^2)) / (2 * sd^2)
  c(1 + mode * rate, rate)
}
s <- sd(data$y)
of_mean <- "
  a0 ~ dnorm(my, 1 / (5 * sy)^2)
  sda ~ dgamma(g[1], g[2])
  sdb ~ dgamma(g[1], g[2])
  sdab ~ dgamma(g[1], g[2])
  for (i in 1:2) { a[i] ~ dnorm(0, 1 / sda^2) }
  for (j in 1:3) { b[j] ~ dnorm(0, 1 / sdb^2) }
  for (i in 1:2) { for (j in 1:3) {
    ab[i, j] ~ dnorm(0, 1 / sdab^2)
    m[i, j] <- a0 + a[i] + b[j] + ab[i, j]
  } }
"
models <- list(
  log = paste("model {", of_mean, "
    for (n in 1:N) { y[n] ~ dnorm(m[A[n], B[n]], exp(-2 * l[A[n], B[n]])) }
    e0 ~ dnorm(log(sy), 1 / 2^2)
    sdc ~ dgamma(h[1], h[2])
    sdd ~ dgamma(h[1], h[2])
    for (i in 1:2) { c[i] ~ dnorm(0, 1 / sdc^2) }
    for (j in 1:3) { d[j] ~ dnorm(0, 1 / sdd^2) }
    for (i in 1:2) { for (j in 1:3) { l[i, j] <- e0 + c[i] + d[j] } }
  }")
)
monitored <- list(log = c("m", "l", "sda", "sdb", "sdab", "sdc", "sdd"))
given <- list(y = data$y, A = as.integer(data$group), B = as.integer(data$cond), N = nrow(data),
              my = mean(data$y), sy = s, g = gamma_of(s / 2, 2 * s), h = gamma_of(0.5, 1))
rows <- lapply(names(models), function(name) {
  fit <- jags.model(textConnection(models[[name]]), given, n.chains = 4,
                    inits = lapply(1:4, function(k) list(.RNG.name = "base::Wichmann-Hill",
                                                         .RNG.seed = k)), quiet = TRUE)
  update(fit, 4000, progress.bar = "none")
  draws <- coda.samples(fit, monitored[[name]], n.iter = 60000, thin = 6, progress.bar = "none")
  found <- as.matrix(draws)
  data.frame(model = name, name = colnames(found), mean = colMeans(found),
             sd = apply(found, 2, sd), mcse = apply(found, 2, sd) /
               sqrt(coda::effectiveSize(draws)))
})
write.csv(do.call(rbind, rows), "spread_jags.csv", row.names = FALSE)
