"""Tests of ``index/llm``."""
