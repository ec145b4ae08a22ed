"""A bundle: everything that must travel together, in one folder.

``bundle.json`` names the schema, the windows that the model was trained on, facts of the training, and the SHA-256 of
each other file: the network (ONNX), the vocabulary, the templates, the masks, what the other detectors learnt, and the
calibration.  A bundle whose parts do not belong together is refused.
"""

import dataclasses
import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import orjson

from models.calibration.fusion import Fusion
from models.detectors.ensemble import DetectorSet
from models.detectors.lstm import LstmDetector
from models.errors import InvalidError
from models.features.vocabulary import SPECIAL, Vocabulary
from models.targets import check_folder
from models.templates.masks import Masks
from models.templates.matcher import TemplateTable
from models.windows.config import WindowConfig

SCHEMA: Final = "tocsin.bundle/6"
"""Name and version of the folder's layout: it rises whenever an older version could not read it."""

HEAD: Final = "bundle.json"
"""The file that names all others and their hashes."""

FILES: Final = ("lstm.onnx", "vocabulary.json", "templates.jsonl", "masks.json", "companions.npz", "calibration.json")


@dataclass(frozen=True)
class Bundle:
    """One version of the model with all that its numbers mean."""

    onnx: bytes
    vocabulary: Vocabulary
    table: TemplateTable
    masks: Masks
    detectors: DetectorSet
    calibration: Fusion
    windows: WindowConfig
    facts: Mapping[str, Any]
    """What is known of the training: seed, counts, time span, versions."""

    @property
    def network(self) -> bytes | None:
        """The network, None where calibration gives it no say: then it need not run at all."""
        return self.onnx if LstmDetector.name in self.calibration.parts else None

    @property
    def is_general(self) -> bool:
        """Whether no service counts as seen in training, as in the bundle that ships: then errors alone count."""
        return not self.detectors.windows_seen.any()

    @property
    def templates_version(self) -> str:
        """Version of what gives events their template ids: the masks and the table."""
        return f"{self.table.version}-{self.masks.version}"

    @cached_property
    def id(self) -> str:
        """Identity of the bundle: a hash over all that decides; the facts do not count.

        Of a bundle that was read it is that of the files, as another version of Python may compress the same otherwise.
        """
        return _identity(self._contents(), self.windows)

    def template_of(self, token: int) -> str:
        """Masked text of the template that a token stands for; "" for a special token, which stands for none."""
        if token < SPECIAL:
            return ""
        number = int(self.vocabulary.ids[token - SPECIAL])
        return self.table.text(number) or f"template {number:016x}"

    @staticmethod
    def check_target(path: Path) -> None:
        """Check that a bundle can be written to a folder.

        Raises:
            InvalidError: it cannot, or the folder holds something that is no bundle.
        """
        if path.exists() and not path.is_dir():
            raise InvalidError(f"{path} is a file", "give a folder to --out")
        check_folder(path, is_replaced=True)
        if path.exists() and not (path / HEAD).is_file() and any(path.iterdir()):
            raise InvalidError(f"{path} is not empty and no bundle", "give another folder to --out")

    def write(self, path: Path) -> None:
        """Write the folder, all or nothing; one that is there is replaced.

        Raises:
            InvalidError: the folder cannot be written, or holds something that is no bundle.
        """
        self.check_target(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            contents = self._contents()
            for name, data in contents.items():
                (fresh / name).write_bytes(data)
            head = {
                "schema": SCHEMA,
                "id": _identity(contents, self.windows),
                "files": {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
                "windows": dataclasses.asdict(self.windows),
                "templates_version": self.templates_version,
                "facts": dict(self.facts),
            }
            (fresh / HEAD).write_bytes(_dump(head))
            fresh.chmod(0o755)
            if path.exists():
                shutil.rmtree(path)
            fresh.replace(path)
        except OSError as error:
            raise InvalidError(
                f"cannot write the bundle to {path}: {error}", "give a folder that can be written"
            ) from error

    @classmethod
    def load(cls, path: Path) -> "Bundle":
        """Read and check a folder.

        Raises:
            InvalidError: it is missing, damaged, of another version, or its parts do not fit together.
        """
        head = _head(path)
        data = {name: _checked(path, name, head) for name in FILES}
        try:
            windows = WindowConfig(**head["windows"])
        except (KeyError, TypeError) as error:
            raise InvalidError(f"{path / HEAD} has no usable windows ({error})", "train the bundle again") from error
        bundle = cls(
            onnx=data["lstm.onnx"],
            vocabulary=Vocabulary.from_json(_json(path / "vocabulary.json", data["vocabulary.json"])),
            table=TemplateTable.from_bytes(data["templates.jsonl"]),
            masks=Masks.from_records(_json(path / "masks.json", data["masks.json"])),
            detectors=DetectorSet.from_bytes(data["companions.npz"]),
            calibration=Fusion.from_json(_json(path / "calibration.json", data["calibration.json"])),
            windows=windows,
            facts=head.get("facts", {}),
        )
        if head.get("templates_version") != bundle.templates_version:
            raise InvalidError(f"{path}: templates and masks are not those of its training", "train the bundle again")
        if head.get("id") != (identity := _identity(data, windows)):
            raise InvalidError(
                f"{path}: the bundle is not the one that its id names", "copy it again or train it again"
            )
        bundle.__dict__["id"] = identity
        return bundle

    def _contents(self) -> dict[str, bytes]:
        return {
            "lstm.onnx": self.onnx,
            "vocabulary.json": _dump(self.vocabulary.to_json()),
            "templates.jsonl": self.table.to_bytes(),
            "masks.json": _dump(self.masks.records()),
            "companions.npz": self.detectors.to_bytes(),
            "calibration.json": _dump(self.calibration.to_json()),
        }


def _identity(contents: Mapping[str, bytes], windows: WindowConfig) -> str:
    digest = hashlib.sha256()
    for name, data in sorted(contents.items()):
        digest.update(f"{name}:{hashlib.sha256(data).hexdigest()}\n".encode())
    digest.update(_dump(dataclasses.asdict(windows)))
    return digest.hexdigest()[:16]


def _dump(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)


def _head(path: Path) -> dict[str, Any]:
    if not (path / HEAD).is_file():
        raise InvalidError(
            f"no bundle at {path}", f"train one with `tocsin train PATH --out {path}`, or set TOCSIN_BUNDLE"
        )
    head = _json(path / HEAD, (path / HEAD).read_bytes())
    if not isinstance(head, dict) or head.get("schema") != SCHEMA:
        schema = head.get("schema") if isinstance(head, dict) else head
        raise InvalidError(f"{path} is a bundle of schema {schema!r}", f"this version reads {SCHEMA!r}: train it again")
    return head


def _checked(path: Path, name: str, head: Mapping[str, Any]) -> bytes:
    try:
        data = (path / name).read_bytes()
    except OSError as error:
        raise InvalidError(f"the bundle at {path} lacks {name} ({error.strerror})", "copy it again") from error
    if hashlib.sha256(data).hexdigest() != head.get("files", {}).get(name):
        raise InvalidError(f"{path / name} is not the file that the bundle was written with", "copy the bundle again")
    return data


def _json(path: Path, data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidError(f"{path} is damaged: {error}", "copy the bundle again") from error
