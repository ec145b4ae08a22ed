"""A store in a bucket of S3, or of anything that speaks its protocol: the only file that imports boto3.

Where the server is and who asks boto3 knows by itself: ``AWS_ENDPOINT_URL_S3``, ``AWS_REGION``, ``AWS_CA_BUNDLE``,
``AWS_PROFILE``, keys, web identities and instance roles.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore import exceptions as boto
from botocore.config import Config

from models.errors import InvalidError, TransientError
from models.registry.objects import ListedObject, StoredObject

CONNECT_S: Final = 3.0
"""Timeout of connecting, in seconds.  A judgement: a worker has a bundle on its disk and need not wait for long."""

ANSWER_S: Final = 10.0
"""Timeout between two pieces of an answer.  A judgement; a bundle's files have a megabyte together."""

ATTEMPTS: Final = 2
"""Attempts of one request.  A judgement: a process that ends waits for a look at the store that has begun."""

_CONFLICTS: Final = 5
"""Attempts of a write that met another one at the same moment (409), a judgement: one of the two wins at once."""

_PAUSE_S: Final = 0.1
"""Pause between these, in seconds.  A judgement."""

_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_LOST: Final = frozenset({"PreconditionFailed", "412"})
_CONFLICT: Final = frozenset({"ConditionalRequestConflict", "409", "OperationAborted"})

_ADVICE: Final[Mapping[str, str]] = {
    "NoSuchBucket": "create the bucket, or correct the address",
    "AccessDenied": "allow s3:GetObject, s3:PutObject, s3:DeleteObject, and s3:ListBucket for this prefix",
    "403": "allow s3:GetObject, s3:PutObject, s3:DeleteObject, and s3:ListBucket for this prefix",
    "ExpiredToken": "renew the session token",
    "InvalidAccessKeyId": "correct AWS_ACCESS_KEY_ID, or the profile",
    "SignatureDoesNotMatch": "correct AWS_SECRET_ACCESS_KEY, or the profile",
}


@dataclass(frozen=True, slots=True)
class S3Options:
    """What boto3 reads from no variable: ``encryption`` is "", ``AES256`` or ``aws:kms``, then with a ``kms_key``."""

    path_style: bool = False
    encryption: str = ""
    kms_key: str = ""


class S3Objects:
    """Objects of a bucket under a prefix.

    All methods raise TransientError where the server does not answer, and InvalidError where it refuses.
    """

    def __init__(self, url: str, options: S3Options) -> None:
        """Connect to nothing yet.

        Raises:
            InvalidError: the URL names no bucket, or boto3 refuses its own settings.
        """
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise InvalidError(f"{url} names no bucket", "write s3://bucket/prefix")
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/".lstrip("/")
        self._url = url
        self._encryption = {
            name: value
            for name, value in (("ServerSideEncryption", options.encryption), ("SSEKMSKeyId", options.kms_key))
            if value
        }
        config = Config(
            connect_timeout=CONNECT_S,
            read_timeout=ANSWER_S,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            s3={"addressing_style": "path" if options.path_style else "auto"},
        )
        with self._explained("set up"):
            self._client: Any = boto3.session.Session().client("s3", config=config)

    def put_if(self, key: str, data: bytes, etag: str | None) -> str | None:
        """Write as ``Objects`` says.

        A request whose answer was lost is sent again and then refused: who reads its own bytes there has written them.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        place = {"Bucket": self._bucket, "Key": self._prefix + key}
        with self._explained("write"):
            for attempt in range(_CONFLICTS):
                try:
                    return str(self._client.put_object(**place, Body=data, **condition, **self._encryption)["ETag"])
                except boto.ClientError as error:
                    if _code(error) in _CONFLICT and attempt + 1 < _CONFLICTS:
                        time.sleep(_PAUSE_S * (attempt + 1))
                        continue
                    if _code(error) not in _LOST | _CONFLICT | _MISSING:
                        raise
                    break
            stored = self.read(key)
        return stored.etag if stored is not None and stored.data == data else None

    def read(self, key: str) -> StoredObject | None:
        """Return what is there, None for nothing."""
        with self._explained("read"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
                return StoredObject(answer["Body"].read(), str(answer["ETag"]))
            except boto.ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise

    def etag(self, key: str) -> str | None:
        """Return the etag of what is there."""
        with self._explained("read"):
            try:
                return str(self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)["ETag"])
            except boto.ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Yield what is under this prefix alone: no right to list the rest of the bucket is needed."""
        with self._explained("list"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    modified = round(entry["LastModified"].timestamp() * 1_000_000)
                    yield ListedObject(entry["Key"].removeprefix(self._prefix), modified, int(entry["Size"]))

    def delete(self, key: str) -> None:
        """Delete what is there, if anything."""
        with self._explained("delete"):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        """Turn boto3's errors into ours."""
        try:
            yield
        except boto.ClientError as error:
            problem = f"cannot {action} {self._url}: {error}"
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:  # noqa: PLR2004 - HTTP
                raise TransientError(problem, "look at the server's log, or try again later") from error
            raise InvalidError(problem, _ADVICE.get(_code(error), "correct the address or the credentials")) from error
        except (boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError) as error:
            raise TransientError(
                f"{self._url} does not answer: {error}", "check AWS_ENDPOINT_URL_S3 and the network"
            ) from error
        except boto.BotoCoreError as error:
            raise InvalidError(
                f"cannot {action} {self._url}: {error}", "set credentials and region as boto3 reads them"
            ) from error


def _code(error: boto.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
