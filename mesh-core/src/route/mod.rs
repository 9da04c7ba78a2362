//! Request → route → destination: matching, precedence, weights, rewrites, redirects.
