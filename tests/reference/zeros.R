# Makes zeros_glmmtmb.csv from zeros.csv: maximum likelihood of count ~ site + cut, and of hits in
# shown, with zeros of their own, by glmmTMB.  psi is the probability of no zero apart.
# Run from this folder: Rscript zeros.R

library(glmmTMB)
data <- read.csv("zeros.csv", stringsAsFactors = TRUE)
fits <- list(
  zero_inflated_poisson = list(count ~ site + cut, poisson),
  zero_inflated_negativebinomial = list(count ~ site + cut, nbinom2),
  zero_inflated_binomial = list(cbind(hits, shown - hits) ~ site + cut, binomial),
  hurdle_poisson = list(count ~ site + cut, truncated_poisson),
  hurdle_negativebinomial = list(count ~ site + cut, truncated_nbinom2)
)
rows <- lapply(names(fits), function(name) {
  fit <- glmmTMB(fits[[name]][[1]], data, family = fits[[name]][[2]], ziformula = ~1)
  of <- fixef(fit)
  alpha <- if (grepl("negative", name)) sigma(fit) else NA
  data.frame(family = name,
             name = c(names(of$cond), "psi", "alpha", "logLik"),
             value = c(unname(of$cond), 1 - plogis(of$zi[[1]]), alpha, as.numeric(logLik(fit))))
})
write.csv(na.omit(do.call(rbind, rows)), "zeros_glmmtmb.csv", row.names = FALSE)
