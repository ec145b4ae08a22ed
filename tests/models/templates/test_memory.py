"""What the matcher forgets costs time, never a template."""

import polars as pl

from models.templates.masks import Masks
from models.templates.matcher import TemplateLimits, TemplateMatcher, TemplateTable, template_id


def test_new_templates_are_told_with_their_texts_however_little_is_remembered() -> None:
    """A batch with more texts than the matcher keeps still tells every one of them, in full."""
    matcher = TemplateMatcher(TemplateTable([]), Masks.default(), TemplateLimits(remembered=2))
    texts = [f"{letter} happened" for letter in "abcdefgh"]
    for service in ("one", "two"):
        # The second batch meets the same texts from another service, after they were forgotten.
        assigned = matcher.assign(pl.Series(texts), pl.Series([service] * len(texts)))
        assert sorted(template.text for template in assigned.new) == texts
        assert assigned.ids.tolist() == [template_id(text) for text in texts]
