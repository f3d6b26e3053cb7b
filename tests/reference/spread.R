# Makes spread_glmmtmb.csv from spread.csv: maximum likelihood of models whose sd, shape or
# concentration depends on the group, by glmmTMB's dispformula (its log variance; log theta; log phi).
# Run from this folder: Rscript spread.R

library(glmmTMB)
data <- read.csv("spread.csv", stringsAsFactors = TRUE)
fits <- list(
  gaussian = list(y ~ group + cond, gaussian),
  negativebinomial = list(count ~ group + cond, nbinom2),
  beta = list(share ~ group + cond, beta_family)
)
rows <- lapply(names(fits), function(name) {
  fit <- glmmTMB(fits[[name]][[1]], data, family = fits[[name]][[2]], dispformula = ~group)
  of <- fixef(fit)
  data.frame(family = name, part = c(rep("mean", length(of$cond)), rep("spread", length(of$disp)),
                                     "logLik"),
             name = c(names(of$cond), names(of$disp), "logLik"),
             value = c(unname(of$cond), unname(of$disp), as.numeric(logLik(fit))))
})
write.csv(do.call(rbind, rows), "spread_glmmtmb.csv", row.names = FALSE)
