"""Tests of promotions: who is due when, and how workers come to know it."""
