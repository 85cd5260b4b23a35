"""TLS by the server itself: files read, and read anew."""

from __future__ import annotations

import ssl
import time

from ..errors import ConfigError
from .settings import Tls


def context(tls: Tls) -> ssl.SSLContext:
    """Return what speaks TLS, 1.2 at least.

    Raises:
        ConfigError: the files do not hold what they should, or the certificate has expired.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        load(made, tls)
        if tls.client_ca is not None:
            made.load_verify_locations(tls.client_ca)
            made.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        ca = "" if tls.client_ca is None else f", or {tls.client_ca} holds no certificate"
        raise ConfigError(
            f"{tls.certificate} and {tls.key} are no certificate and its key as PEM{ca} ({error})."
        ) from None
    if expiry(tls) < time.time():
        raise ConfigError(f"the certificate {tls.certificate} has expired; renew it.")
    return made


def load(made: ssl.SSLContext, tls: Tls) -> None:
    """Take a certificate and its key, or those that stand in their files now.

    Raises:
        ConfigError: the key is locked by a passphrase.
        OSError: a file cannot be read, or does not hold what it should.
    """

    def asked() -> str:
        raise ConfigError(
            f"{tls.key} is locked by a passphrase, which nobody would be there to give. Run: "
            f"openssl pkey -in {tls.key} -out FILE"
        )

    made.load_cert_chain(tls.certificate, tls.key, asked)


def expiry(tls: Tls) -> float:
    """Return when the certificate expires, in seconds since 1970."""
    decode = getattr(ssl, "_ssl")._test_decode_cert  # noqa: B009 - typeshed does not know it
    return ssl.cert_time_to_seconds(decode(str(tls.certificate))["notAfter"])
