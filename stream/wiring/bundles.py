"""Bundles by their address: the store of the settings, its cache on this disk, and the keys that are trusted."""

import getpass
import logging
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import InvalidError, TransientError
from models.registry.address import ModelAddress, check_name, folder_of, parse_bundle, parse_version
from models.registry.bundle_cache import BundleCache, fetch_bundle
from models.registry.folder_objects import FolderObjects
from models.registry.manifest import Manifest
from models.registry.model_store import ModelStore, Registration
from models.registry.objects import Objects
from models.registry.signature import Signature, sign, trusted
from models.registry.training_run import TrainingRun
from stream.settings import Settings

if TYPE_CHECKING:
    from models.registry.mlflow_mirror import MlflowMirror

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BundlePlace:
    """The folder of a bundle on this disk, and of one from a store its manifest.

    ``problem`` is why the store could not be asked whether it is still the one.
    """

    path: Path
    manifest: Manifest | None = None
    problem: str = ""


def open_objects(settings: Settings, url: str) -> Objects:
    """Open the store at a URL.

    Raises:
        InvalidError: it names none.
    """
    if not url.startswith("s3://"):
        return FolderObjects(folder_of(url))
    # boto3 takes seconds to import, and is an extra.
    from models.registry.s3_objects import S3Objects, S3Options

    return S3Objects(url, S3Options(settings.s3_path_style, settings.s3_encryption, settings.s3_kms_key))


def store_url(settings: Settings) -> str:
    """Return the address of the store: that of the settings, else the one from which the bundle comes.

    Raises:
        InvalidError: neither names one.
    """
    if settings.models is not None:
        return settings.models
    if settings.bundle is not None and isinstance(address := parse_bundle(str(settings.bundle)), ModelAddress):
        return address.store
    raise InvalidError(
        "no store of models is set", "set TOCSIN_MODELS=s3://bucket/prefix, or file:///folder for one machine"
    )


def open_store(settings: Settings, url: str | None = None) -> ModelStore:
    """Open the store at a URL, or that of the settings.

    Raises:
        InvalidError: there is none.
    """
    chosen = url or store_url(settings)
    return ModelStore(open_objects(settings, chosen), chosen)


def bundle_cache(settings: Settings) -> BundleCache:
    """Return the bundles on this disk."""
    return BundleCache(settings.cache_path / "bundles")


def bundle_place(settings: Settings, chosen: str | Path) -> BundlePlace:
    """Return where a bundle lies that is named by its folder or its address; the latter is fetched first.

    Raises:
        TocsinError: the address is none, or its version is refused or cannot be had.
    """
    address = chosen if isinstance(chosen, Path) else parse_bundle(chosen)
    if isinstance(address, Path):
        return BundlePlace(address)
    fetched = fetch_bundle(
        lambda: open_store(settings, address.store), address, bundle_cache(settings), trusted(settings.trusted_keys)
    )
    return BundlePlace(fetched.path, fetched.manifest, fetched.problem)


def version_address(settings: Settings, text: str) -> ModelAddress:
    """Return what ``NAME@REF`` means in the store of the settings, or a whole address anywhere.

    Raises:
        InvalidError: it is neither.
    """
    return parse_version(text, "" if "://" in text else store_url(settings))


def bundle_address(settings: Settings, name: str) -> str:
    """Return the folder, or the whole address, of a bundle that is named by its folder or as for ``version_address``.

    Raises:
        InvalidError: it is neither.
    """
    return name if Path(name).is_dir() else str(version_address(settings, name))


def make_registrar(settings: Settings, name: str) -> Callable[..., Manifest]:
    """Return what puts a bundle into the store, and shows it in MLflow: ``(folder, parent, note, run)``.

    The name, the store and the key are tried now: what is wrong is to be known before a training, not after it.

    Raises:
        TocsinError: the name is none, there is no store, or the key cannot be used.
    """
    store, key = open_store(settings), settings.signing_key

    def signature(data: bytes) -> Signature | None:
        return None if key is None else sign(data, key)

    def register(folder: Path, parent: str = "", note: str = "", run: TrainingRun | None = None) -> Manifest:
        now = time.time_ns() // 1000
        manifest = store.register(
            name, folder, Registration(now, uuid.uuid4().hex, current_user(), parent, note), signature
        )
        shown = run or TrainingRun(now, now)
        show_in_mlflow(settings, lambda mirror: mirror.show_training(manifest, store.url, shown))
        return manifest

    signature(b"")
    store.aliases(check_name(name))
    return register


def show_in_mlflow(settings: Settings, show: "Callable[[MlflowMirror], object]") -> None:
    """Show something in the MLflow of the settings, if there is one; where it does not answer, log that and go on."""
    if settings.mlflow_url is None:
        return
    from models.registry.mlflow_mirror import MlflowMirror

    try:
        show(MlflowMirror(settings.mlflow_url.get_secret_value()))
    except TransientError as error:
        log.warning("%s", error)


def current_user() -> str:
    """Return the name of who runs this, "" where the system does not know."""
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return ""
