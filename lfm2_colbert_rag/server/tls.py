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
        made.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca is not None:
            made.load_verify_locations(tls.client_ca)
            made.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{tls.certificate} and {tls.key} are no certificate and its key, or {tls.client_ca} "
            f"holds none ({error})."
        ) from None
    if expiry(tls) < time.time():
        raise ConfigError(f"the certificate {tls.certificate} has expired; renew it.")
    return made


def expiry(tls: Tls) -> float:
    """Return when the certificate expires, in seconds since 1970."""
    decode = getattr(ssl, "_ssl")._test_decode_cert  # noqa: B009 - typeshed does not know it
    return ssl.cert_time_to_seconds(decode(str(tls.certificate))["notAfter"])
