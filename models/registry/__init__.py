"""Versions of bundles in a store that several machines share: a bucket of S3 or a folder."""
