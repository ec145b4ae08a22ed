"""The pure core that training and serving share: raw records in, scored windows out; no network and no environment."""
