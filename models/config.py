"""How lines become windows: what training and serving must have in common."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from models.decode.decoder import DecodeConfig, Decoder
from models.pipeline import LineProcessor
from models.templates.masks import Masks
from models.templates.matcher import TemplateLimits, TemplateMatcher, TemplateTable
from models.windows.keys import KeyRules
from models.windows.store import WindowConfig


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Decoding, masks, keys and windows."""

    decode: DecodeConfig = field(default_factory=DecodeConfig)
    masks: Masks = field(default_factory=Masks.default)
    rules: KeyRules = field(default_factory=KeyRules)
    windows: WindowConfig = field(default_factory=WindowConfig)

    def processor(self, table: TemplateTable, services: Iterable[str] | None = None) -> LineProcessor:
        """A line processor of its own, with an empty memory; ``services`` are those that a training has seen."""
        matcher = TemplateMatcher(table, self.masks, TemplateLimits())
        rules = self.rules if services is None else replace(self.rules, services=frozenset(services))
        return LineProcessor(Decoder(self.decode), matcher, rules)
