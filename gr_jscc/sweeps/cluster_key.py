"""One file by which the programs of a Dask cluster know each other, and encrypt what they say.

A key and a certificate of it that it signed itself: whoever has the file belongs to the cluster, nobody else does. Dask
asks nothing of a certificate's names, so that one file serves all machines.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gr_jscc.errors import UserError

if TYPE_CHECKING:
    from distributed.security import Security

YEARS = 10


class ClusterKeyError(UserError):
    """A cluster's key cannot be made, read or done without; the message is one line for a person.

    Example:
        >>> cluster_security("tls://10.0.0.1:8786", key=Path("cluster.pem"), insecure=False)
        Traceback (most recent call last):
            ...
        gr_jscc.sweeps.cluster_key.ClusterKeyError: no such key: cluster.pem
    """


def make_cluster_key(path: Path) -> None:
    """Writes a new key, which only its owner can read; one that is there stays.

    Raises:
        ClusterKeyError: the package cryptography is missing; the file is there, or cannot be written.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError as error:
        raise ClusterKeyError("making a cluster's key needs a package: pip install 'gr-jscc[cluster]'") from error
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gr-jscc cluster")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    text += certificate.public_bytes(serialization.Encoding.PEM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
    except FileExistsError as error:
        raise ClusterKeyError(f"{path} already exists; remove it, and copy the new one to all machines") from error
    except OSError as error:
        raise ClusterKeyError(f"cannot write {path}: {error.strerror}") from error


def cluster_security(address: str, key: Path | None, insecure: bool) -> Security | None:
    """How to speak to a scheduler; None for in the open.

    Args:
        address: ``tls://HOST:PORT``, or ``tcp://HOST:PORT``.
        key: of the cluster.
        insecure: do without one where it is needed.

    Raises:
        ClusterKeyError: none where others could listen or join, or one that cannot be used there.
    """
    if key is None:
        if address.startswith("tls://"):
            raise ClusterKeyError(f"{address} needs the cluster's key: --cluster-key FILE")
        if not insecure and not _is_local(address):
            raise ClusterKeyError(
                f"{address} can be reached by other machines, which could run any program on its workers: make a "
                "key with gr-jscc keys cluster and start all with it (docs/guide/sweeps.md), or give --insecure"
            )
        return None
    if not address.startswith("tls://"):
        raise ClusterKeyError(f"with a cluster's key the scheduler's address must begin with tls://, not {address}")
    if not key.is_file():
        raise ClusterKeyError(f"no such key: {key}")
    from distributed.security import Security

    file = str(key)
    return Security(tls_ca_file=file, tls_client_cert=file, tls_client_key=file, require_encryption=True)


def _is_local(address: str) -> bool:
    try:
        host = urlsplit(address).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False
