"""Markdown becomes documents, cut at its headings."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.embedding.hashing_embedder import HashedEmbedder
from index.search.documents import Document, DocumentKind
from index.search.runbooks import MAX_CHUNK, add_runbooks, page_documents, parts, read_runbooks, sections
from index.search.search_index import SearchIndex
from models.errors import InvalidError

PAGE = """Before any heading.

# Storage #

## A volume stays in attaching
Look at `iscsiadm`.

```sh
# no heading: a comment
iscsiadm -m session
```

### Multipath
Flush stale maps.

## Empty

#hashtag is no heading
## C# and more ##
Last.
"""


def test_a_section_knows_the_headings_above_it() -> None:
    """Fences hold no headings, a closed heading is one, an empty section is left out."""
    found = [(section.path, section.text.splitlines()[0]) for section in sections(PAGE)]
    assert found == [
        ((), "Before any heading."),
        (("Storage", "A volume stays in attaching"), "Look at `iscsiadm`."),
        (("Storage", "A volume stays in attaching", "Multipath"), "Flush stale maps."),
        (("Storage", "Empty"), "#hashtag is no heading"),
        (("Storage", "C# and more"), "Last."),
    ]


@pytest.mark.parametrize(
    "fence", ["```\n# x\n```", "~~~\n```\n# x\n~~~", "````\n```\n# x\n````", "```sh\n# x\n``` sh\n# y\n```", "```\n# x"]
)
def test_a_fence_ends_where_markdown_says(fence: str) -> None:
    """By as many of the same mark, and nothing behind them; an open one lasts to the end."""
    assert [section.path for section in sections(f"# One\n{fence}\n")] == [("One",)]


def test_documents_carry_title_source_and_owner() -> None:
    """Ids are told apart where a heading comes twice."""
    text = "---\nservices: [cinder-volume, nova-compute]\ntenant: blue\n---\n# A\none\n# A\ntwo\n"
    one, two = page_documents("storage.md", text)
    services = ("cinder-volume", "nova-compute")
    assert one == Document(
        "runbook:storage.md#A", DocumentKind.RUNBOOK, "one", "A", "blue", services, source="storage.md"
    )
    assert (two.id, two.text) == ("runbook:storage.md#A/2", "two")


def test_a_page_without_title_goes_by_its_name() -> None:
    """Or by what its front matter says; the tenant is that of the caller."""
    (plain,) = page_documents("disk.md", "Free some space.", "red")
    assert (plain.title, plain.tenant, plain.services) == ("disk.md", "red", ())
    (named,) = page_documents("disk.md", "---\ntitle: Full disks\nservice: glance-api\n---\nFree some space.")
    assert (named.title, named.services) == ("Full disks", ("glance-api",))


def test_a_rule_is_no_front_matter() -> None:
    """Two rules around prose stay what they are."""
    (page,) = page_documents("x.md", "---\nJust a line\n---\nand another")
    assert page.text == "---\nJust a line\n---\nand another"
    with pytest.raises(InvalidError, match=r"x\.md: its front matter is not valid YAML"):
        page_documents("x.md", "---\na: [\n---\ntext")


@given(st.text(alphabet="ab #`~-\n\t.", max_size=400))
def test_no_text_is_lost(text: str) -> None:
    """Every line that is no heading stands in exactly one section, in order."""
    lines = [line.strip() for section in sections(text) for line in section.text.splitlines() if line.strip()]
    rest = iter(line.strip() for line in text.splitlines())
    assert all(line in rest for line in lines)
    left = [line for line in text.splitlines() if line.strip() and line.strip() not in lines]
    assert all(line.lstrip().startswith("#") for line in left)


@given(st.lists(st.text(alphabet="ab\n", max_size=3_000), max_size=5))
def test_parts_are_short_and_whole(paragraphs: list[str]) -> None:
    """A long section is cut; nothing but white space is lost."""
    text = "\n\n".join(paragraphs)
    found = list(parts(text))
    assert all(0 < len(part) <= MAX_CHUNK for part in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_a_long_section_is_cut_between_paragraphs() -> None:
    """Each part keeps the title."""
    paragraphs = [f"Step {n}. " + "x" * 500 for n in range(5)]
    documents = page_documents("a.md", "# Long\n" + "\n\n".join(paragraphs))
    assert [document.text for document in documents] == [
        "\n\n".join(paragraphs[:2]),
        "\n\n".join(paragraphs[2:4]),
        paragraphs[4],
    ]
    assert {document.title for document in documents} == {"Long"}


def test_a_folder_is_read_in_order_with_all_below(tmp_path: Path) -> None:
    """Other files are left alone; bytes that are no UTF-8 do no harm."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.MD").write_bytes(b"\xef\xbb\xbf# Two\ncaf\xe9")
    (tmp_path / "a.markdown").write_text("# One\ntext")
    (tmp_path / "notes.txt").write_text("# Three\ntext")
    found = list(read_runbooks(tmp_path))
    assert [(document.title, document.text) for document in found] == [("One", "text"), ("Two", "caf\ufffd")]
    assert found[0].source == str((tmp_path / "a.markdown").resolve())
    assert list(read_runbooks(tmp_path / "a.markdown")) == found[:1]


def test_paths_that_hold_no_runbook_are_named(tmp_path: Path) -> None:
    """A missing file, an empty folder."""
    with pytest.raises(InvalidError, match="no such file or folder; check the path"):
        list(read_runbooks(tmp_path / "none.md"))
    with pytest.raises(InvalidError, match="the folder holds no Markdown"):
        list(read_runbooks(tmp_path))


def test_a_folder_read_again_replaces_what_it_held(tmp_path: Path) -> None:
    """Renamed sections and removed pages are gone; other documents stay."""
    memory = SearchIndex(HashedEmbedder())
    memory.add(
        [
            Document("i1", DocumentKind.INCIDENT, "volume"),
            Document("r1", DocumentKind.RUNBOOK, "else", source="/other/page.md"),
        ]
    )
    (tmp_path / "a.md").write_text("# One\ntext\n# Two\ntext")
    (tmp_path / "b.md").write_text("# Three\ntext")
    assert add_runbooks(memory, tmp_path) == (3, 0)
    assert add_runbooks(memory, tmp_path) == (0, 0)
    (tmp_path / "a.md").write_text("# One\nother text\n# New\ntext")
    (tmp_path / "b.md").unlink()
    assert add_runbooks(memory, tmp_path) == (2, 2)
    assert sorted(document.title for document in memory.documents()) == ["", "", "New", "One"]
    (tmp_path / "a.md").write_text("# New\ntext")
    assert add_runbooks(memory, tmp_path / "a.md") == (0, 1)
