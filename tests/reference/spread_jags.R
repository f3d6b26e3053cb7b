# Makes spread_jags.csv from spread.csv: posterior means and sds by JAGS of
#   log      normal rows whose log sd is a sum of effects of group and cond, as it is written, with a
#            free effect for every level;
#   cells    t rows whose log scales, one a cell, are normal with an estimated mean and sd, as
#            sigma ~ group:cond has it;
#   one      the same for the levels of cond alone;
#   kruschke t rows whose scales, one a cell, are gamma with an estimated mode and sd: the model of
#            Kruschke's sections 19.5 and 20.5, in our words.
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
t_rows <- "
    for (n in 1:N) { y[n] ~ dt(m[A[n], B[n]], exp(-2 * l[A[n], B[n]]), nu) }
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
  }"),
  cells = paste("model {", of_mean, t_rows, "
    nu ~ dgamma(2, 0.1)
    e0 ~ dnorm(log(sy), 1 / 2^2)
    sde ~ dgamma(h[1], h[2])
    for (i in 1:2) { for (j in 1:3) { l[i, j] ~ dnorm(e0, 1 / sde^2) } }
  }"),
  one = "model {
    for (n in 1:N) { y[n] ~ dt(m[B[n]], exp(-2 * l[B[n]]), nu) }
    nu ~ dgamma(2, 0.1)
    a0 ~ dnorm(my, 1 / (5 * sy)^2)
    sdb ~ dgamma(g[1], g[2])
    e0 ~ dnorm(log(sy), 1 / 2^2)
    sde ~ dgamma(h[1], h[2])
    for (j in 1:3) {
      b[j] ~ dnorm(0, 1 / sdb^2)
      m[j] <- a0 + b[j]
      l[j] ~ dnorm(e0, 1 / sde^2)
    }
  }",
  kruschke = paste("model {", of_mean, t_rows, "
    nu <- less + 1
    less ~ dexp(1 / 29)
    mode ~ dgamma(g[1], g[2])
    spread ~ dgamma(g[1], g[2])
    rate <- (mode + sqrt(mode^2 + 4 * spread^2)) / (2 * spread^2)
    for (i in 1:2) { for (j in 1:3) {
      scale[i, j] ~ dgamma(1 + mode * rate, rate)
      l[i, j] <- log(scale[i, j])
    } }
  }")
)
of_means <- c("m", "l", "sda", "sdb", "sdab")
monitored <- list(log = c(of_means, "sdc", "sdd"), cells = c(of_means, "e0", "sde", "nu"),
                  one = c("m", "l", "sdb", "e0", "sde", "nu"),
                  kruschke = c(of_means, "mode", "spread", "nu"))
given <- list(y = data$y, A = as.integer(data$group), B = as.integer(data$cond), N = nrow(data),
              my = mean(data$y), sy = s, g = gamma_of(s / 2, 2 * s), h = gamma_of(0.5, 1))
rows <- lapply(names(models), function(name) {
  used <- if (name == "one") given[names(given) != "A"] else given
  used <- if (name == "kruschke") used[names(used) != "h"] else used
  fit <- jags.model(textConnection(models[[name]]), used, n.chains = 4,
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
