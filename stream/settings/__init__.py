"""Settings: environment ``TOCSIN_…`` over ``tocsin.toml`` over the defaults in ``stream.settings.model``."""

from stream.settings.environment import has_llm_key
from stream.settings.load import load_settings
from stream.settings.model import Settings

__all__ = ["Settings", "has_llm_key", "load_settings"]
