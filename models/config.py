"""How lines become windows: what training and serving must have in common."""

from dataclasses import dataclass, field

from models.decode import DecodeConfig, Decoder
from models.keys import KeyRules
from models.masks import Masks
from models.pipeline import LineProcessor
from models.templates import TemplateLimits, TemplateMatcher, TemplateTable
from models.windows import WindowConfig


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Decoding, masks, keys and windows."""

    decode: DecodeConfig = field(default_factory=DecodeConfig)
    masks: Masks = field(default_factory=Masks.default)
    rules: KeyRules = field(default_factory=KeyRules)
    windows: WindowConfig = field(default_factory=WindowConfig)

    def processor(self, table: TemplateTable) -> LineProcessor:
        """A line processor of its own, with an empty memory."""
        matcher = TemplateMatcher(table, self.masks, TemplateLimits())
        return LineProcessor(Decoder(self.decode), matcher, self.rules)
