# Makes nested.csv (simulated: 9 units in three groups, two tasks within, twice) and nested_aov.csv
# (classical tables of terms without their margins, and of units whose labels come again).
# Run from this folder: Rscript nested.R

source("tidy.R")

set.seed(5)
data <- expand.grid(copy = 1:2, task = c("x", "y"), label = 1:3, group = c("a", "b", "c"))
data$unit <- factor(paste0(data$group, data$label))
own <- rnorm(9)[as.integer(data$unit)] + rnorm(18, 0, 0.5)[as.integer(interaction(data$unit, data$task))]
data$y <- round(own + 0.8 * (data$group == "b") * (data$task == "y") + rnorm(nrow(data), 0, 0.7), 3)
write_table(data, "nested.csv")
data$label <- factor(data$label)

tables <- list()
for (right in c("group * task", "group / task", "task / group", "group : task", "group * task - task")) {
  for (strata in c("Error(unit / task)", "Error(group : label / task)")) {
    text <- paste("y ~", right, "+", strata)
    fit <- suppressWarnings(aov(as.formula(text), data))
    tables[[text]] <- cbind(formula = text, tidy_aov(fit))
  }
}
write_table(do.call(rbind, tables), "nested_aov.csv")
