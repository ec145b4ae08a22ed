"""Episodes: stretches of logs in which something goes wrong, cut by evidence of a common cause."""
