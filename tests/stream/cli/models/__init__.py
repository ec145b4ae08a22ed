"""Tests of ``tocsin models``."""
