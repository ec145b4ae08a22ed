"""Tests of the store of bundles, on a folder and on a real S3 server."""
