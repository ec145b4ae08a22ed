"""Kubernetes' API server over an etcd of its own: nothing runs, but all is validated, defaulted and admitted."""

import json
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.kafka_server import dying_with_us
from tests.ports import held_port

PATIENCE_S: Final = 120.0
TOKEN: Final = "admin"  # noqa: S105 - of a server that lives as long as a test


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A running server, as its administrator sees it."""

    port: int

    def call(self, method: str, path: str, body: object = None, kind: str = "application/json") -> dict[str, Any]:
        """Return the answer.

        Raises:
            AssertionError: the server refuses; the message is its own.
        """
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", data, headers, method=method)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it has just signed its own
        try:
            with urllib.request.urlopen(request, context=context, timeout=PATIENCE_S) as response:  # noqa: S310 - loopback
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from error

    def make_namespace(self, name: str) -> None:
        """Make a namespace that admits only pods that fit the strictest of Kubernetes' pod security standards."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        self.call("POST", "/api/v1/namespaces", namespace)

    def apply(self, document: dict[str, Any], namespace: str) -> None:
        """Apply an object on the server's side; a field that it does not know is an error."""
        group = document["apiVersion"]
        base = f"/apis/{group}" if "/" in group else f"/api/{group}"
        resources = self.call("GET", base)["resources"]
        plural = next(entry["name"] for entry in resources if entry["kind"] == document["kind"])
        document = document | {"metadata": document["metadata"] | {"namespace": namespace}}
        path = f"{base}/namespaces/{namespace}/{plural}/{document['metadata']['name']}"
        query = "?fieldManager=helm&force=true&fieldValidation=Strict"
        self.call("PATCH", path + query, document, "application/apply-patch+yaml")


@contextmanager
def running(folder: Path) -> Iterator[ApiServer]:
    """Run the two programs, which must be on ``PATH``, with their data in ``folder``."""
    store, peer, port = held_port(), held_port(), held_port()
    (folder / "tokens").write_text(f'{TOKEN},admin,1,"system:masters"\n')
    openssl, key = shutil.which("openssl") or "openssl", folder / "sa.key"
    subprocess.run([openssl, "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    etcd = ["etcd", "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"]
    for option in ("listen-client-urls", "advertise-client-urls"):
        etcd += [f"--{option}", f"http://127.0.0.1:{store}"]
    etcd += ["--listen-peer-urls", f"http://127.0.0.1:{peer}"]
    server = ["kube-apiserver", f"--etcd-servers=http://127.0.0.1:{store}", "--bind-address=127.0.0.1"]
    server += [f"--secure-port={port}", f"--token-auth-file={folder}/tokens", f"--cert-dir={folder}/certs"]
    server += [f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}"]
    server += ["--service-account-issuer=https://localhost", "--authorization-mode=RBAC"]
    server += ["--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount"]
    with (folder / "log").open("wb") as log:
        processes = [
            subprocess.Popen([*dying_with_us(), *command], stdout=log, stderr=log) for command in (etcd, server)
        ]
        try:
            yield _ready(ApiServer(port), folder / "log")
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()


def _ready(server: ApiServer, log: Path) -> ApiServer:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            server.call("GET", "/api/v1/namespaces/default")
        except (OSError, AssertionError):
            time.sleep(0.5)
        else:
            return server
    raise TimeoutError(log.read_text(errors="replace")[-2000:])
