//! Retries, budgets, back-off, breakers, outlier ejection, fault filter, rate limit.
