"""The search index as the settings name it: its file, and what embeds its texts."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from index.embedding.open_embedder import open_embedder
from stream.settings import Settings

if TYPE_CHECKING:
    from index.embedding.base import Embedder
    from index.search.search_index import SearchIndex


def search_index_file(settings: Settings) -> Path:
    """Return the path of the search index, which is named after what it was called first."""
    return settings.index_path / "memory.tocsin"


def load_embedder(settings: Settings, tell: Callable[[str], None]) -> "Embedder":
    """Return what makes vectors of texts; ``tell`` gets a warning where it is not the model that is set.

    Raises:
        InvalidError: the model that is named cannot be served.
    """
    return open_embedder(settings.embedding_model, tell)


def load_search_index(settings: Settings, tell: Callable[[str], None], *, fresh: bool = False) -> "SearchIndex":
    """Load the search index as it was last saved; with ``fresh`` return an empty one where there is none.

    Raises:
        InvalidError: there is none, it is damaged, or its embedder cannot be had.
    """
    # FAISS is imported where there is something to search.
    from index.search.search_index import SearchIndex
    from index.search.snapshot import load

    path = search_index_file(settings)
    embedder = load_embedder(settings, tell)
    if fresh and not path.exists():
        return SearchIndex(embedder)
    return load(path, embedder, tell)
