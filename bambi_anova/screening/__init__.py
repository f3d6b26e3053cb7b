"""What rows say before they are modelled: informative numbers of trials, and overdispersion."""
