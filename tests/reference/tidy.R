# Helpers that memory.R, oats.R and mixed.R source; makes nothing by itself.

options(contrasts = c("contr.sum", "contr.poly"))
# Standard errors from the model's own covariance matrix, without a small-sample correction.
emmeans::emm_options(lmer.df = "asymptotic", msg.interaction = FALSE)

# Read a CSV; the named columns become factors with their levels in sorted (C locale) order.
read_data <- function(path, factors) {
  data <- read.csv(path, colClasses = setNames(rep("character", length(factors)), factors))
  for (f in factors) data[[f]] <- factor(data[[f]], sort(unique(data[[f]]), method = "radix"))
  data
}

# Fit by REML, with the variances found more closely than lme4 does by default.
fit_lmer <- function(formula, data) {
  control <- lme4::lmerControl("bobyqa", optCtrl = list(rhobeg = 0.1, rhoend = 1e-9))
  lme4::lmer(formula, data, REML = TRUE, control = control)
}

version_of <- function(package) packageDescription(package)$Version

# "first - second" for every pair of levels, in level order (the order of emmeans).
pairs_of <- function(levels) combn(levels, 2, paste, collapse = " - ")

# Cell and marginal means, (interaction) pairwise contrasts and sds of one fitted model.
# The means and contrasts of a term average over the factors not in it, with equal weights.
tidy_model <- function(model, tool, factors) {
  terms <- unlist(lapply(seq_along(factors), combn, x = factors, simplify = FALSE), FALSE)
  rows <- lapply(terms, function(term) {
    means <- emmeans::emmeans(model, term)
    levels <- levels(means)[term]
    tabulate <- function(quantity, object, labels, sep) {
      result <- as.data.frame(summary(object, infer = FALSE))
      stopifnot(nrow(result) == nrow(labels))
      data.frame(tool, quantity, term = paste(term, collapse = ":"),
                 level = do.call(paste, c(labels, sep = sep)),
                 estimate = result[[if (quantity == "mean") "emmean" else "estimate"]],
                 se = result$SE)
    }
    pairs <- lapply(levels, pairs_of)
    if (length(term) > 1) pairs <- lapply(pairs, sprintf, fmt = "(%s)")
    rbind(tabulate("mean", means, expand.grid(levels), ":"),
          tabulate("contrast", emmeans::contrast(means, interaction = "pairwise"),
                   expand.grid(pairs), " x "))
  })
  rbind(do.call(rbind, rows), sds_of(model, tool))
}

# Standard deviation of each random intercept and, of a gaussian model, of the residual.
sds_of <- function(model, tool) {
  vc <- lme4::VarCorr(model)
  if (inherits(model, "glmmTMB")) vc <- vc$cond
  vc <- vc[sort(names(vc), method = "radix")]
  sds <- sapply(vc, attr, "stddev", USE.NAMES = FALSE)
  terms <- names(vc)
  if (family(model)$family == "gaussian") {
    sds <- c(sds, sigma(model))
    terms <- c(terms, "residual")
  }
  data.frame(tool, quantity = "sd", term = terms, level = NA, estimate = sds, se = NA_real_)
}

# The table of summary(aov(... + Error(...))), one row a line of each stratum.
tidy_aov <- function(model) {
  tables <- summary(model)
  rows <- lapply(names(tables), function(stratum) {
    x <- tables[[stratum]][[1]]
    column <- function(name) if (name %in% names(x)) x[[name]] else NA
    data.frame(stratum = sub("^Error: ", "", stratum), term = trimws(rownames(x)), df = x$Df,
               sumsq = x[["Sum Sq"]], meansq = x[["Mean Sq"]],
               F = column("F value"), p = column("Pr(>F)"))
  })
  do.call(rbind, rows)
}

# Write a table with 15 significant digits.
write_table <- function(data, path) {
  numbers <- sapply(data, is.double)
  data[numbers] <- lapply(data[numbers], formatC, digits = 15, format = "g", width = 1)
  stopifnot(!grepl("[,\"]", unlist(data)))
  write.csv(data, path, quote = FALSE, row.names = FALSE)
}

# Put the versions that a script used into versions.csv, in place of its former ones.
write_versions <- function(script, packages) {
  path <- "versions.csv"
  new <- data.frame(script, package = c("R", packages),
                    version = c(as.character(getRversion()), sapply(packages, version_of)))
  if (file.exists(path)) {
    old <- read.csv(path, colClasses = "character")
    new <- rbind(old[old$script != script, ], new)
  }
  new <- new[order(new$script, method = "radix"), ]
  write.csv(new, path, quote = FALSE, row.names = FALSE)
}
