"""One process and its roles: start, drain, stop, log set-up."""
