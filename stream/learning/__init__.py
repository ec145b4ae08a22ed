"""Learning by itself: when a worker without a bundle trains one, on what, and where it is kept."""
