"""``lfm2-colbert serve``: indexes over HTTP."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .._support.extras import require

__all__ = ["serve"]

_KEYS = Path("keys.json")


def serve(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="An index, or a folder of indexes.", show_default=False),
    ],
    keys: Annotated[
        Path, typer.Option("--keys", metavar="FILE", help="What 'lfm2-colbert keys' writes.")
    ] = _KEYS,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 7707,
    socket: Annotated[
        Path | None,
        typer.Option(
            "--uds", metavar="PATH", help="A Unix socket to listen on instead.", show_default=False
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", help="PEM; read anew at SIGHUP.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="PEM; mode 0600.")] = None,
    client_ca: Annotated[
        Path | None, typer.Option("--client-ca", help="PEM; asks clients for certificates.")
    ] = None,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Speak plain HTTP beyond this machine.")
    ] = False,
    behind_proxy: Annotated[
        list[str] | None,
        typer.Option("--behind-proxy", metavar="CIDR", help="Whose X-Forwarded-For is believed."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", metavar="NAME", help="A name by which clients ask."),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option("--cors-origin", metavar="ORIGIN", help="A web page that may ask."),
    ] = None,
    isolation: Annotated[
        Literal["index", "view"],
        typer.Option(
            "--isolation",
            help="What parts tenants: an index for each, or views of one. With views every key or "
            "token names a tenant.",
        ),
    ] = "index",
    tenant_field: Annotated[
        str, typer.Option("--tenant-field", help="The key of metadata that names the tenant.")
    ] = "tenant",
    model: Annotated[
        str, typer.Option("--model", help="The model of indexes that are made over HTTP.")
    ] = "nano",
    read_only: Annotated[bool, typer.Option("--read-only", help="Write nothing.")] = False,
    backups: Annotated[
        Path | None, typer.Option("--backups", metavar="DIR", help="Where backups go.")
    ] = None,
    audit_log: Annotated[
        Path | None,
        typer.Option("--audit-log", metavar="DIR", help="Where the audit log goes."),
    ] = None,
    audit: Annotated[
        Literal["writes", "all", "off"],
        typer.Option("--audit", help="What it holds; refusals always."),
    ] = "writes",
    metrics_open: Annotated[
        bool, typer.Option("--metrics-open", help="Ask for no key at /metrics.")
    ] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="API",
            help="What is not spoken: rerank, mcp, dify, openai, playground; may be repeated.",
        ),
    ] = None,
    searches: Annotated[
        int, typer.Option("--searches", min=1, help="How many run side by side.")
    ] = 4,
    queue: Annotated[int, typer.Option("--queue", min=1, help="How many may wait.")] = 64,
    failures: Annotated[
        int,
        typer.Option("--auth-failures", min=1, help="A minute, of one address without a key."),
    ] = 10,
    rerank_tokens: Annotated[
        int,
        typer.Option("--rerank-tokens", min=1, help="Encoded at most for one request to rerank."),
    ] = 20_000,
    drain: Annotated[
        float,
        typer.Option("--drain", metavar="SECONDS", min=0, help="From SIGTERM to the end."),
    ] = 0.0,
    check: Annotated[
        bool, typer.Option("--check", help="Say how it would be run, and stop.")
    ] = False,
) -> None:
    """Serve indexes over HTTP, with keys, to whoever may ask.

    It listens on this machine only unless told otherwise, sends nothing anywhere, and refuses to
    start in ways that are open to strangers. Needs the extra 'server'. Make a key first:
    'lfm2-colbert keys create --name me'.
    """
    for module in ("msgspec", "starlette", "uvicorn", "h11", "prometheus_client", "jwt"):
        require(module, extra="server")
    from ..server.run import serve as run
    from ..server.settings import Capacity, Settings

    settings = Settings(
        folder,
        keys,
        host=host,
        port=port,
        socket=socket,
        tls=_tls(tls_cert, tls_key, client_ca),
        insecure_http=insecure_http,
        behind_proxy=tuple(behind_proxy or ()),
        allowed_hosts=tuple(allowed_host or ()),
        origins=tuple(cors_origin or ()),
        isolation=isolation,
        tenant_field=tenant_field,
        model=model,
        read_only=read_only,
        backups=backups,
        audit=audit_log,
        audited=audit,
        metrics_open=metrics_open,
        without=tuple(without or ()),  # type: ignore[arg-type] # it checks them
        capacity=Capacity(
            searches=searches, queue=queue, failures=failures, rerank_tokens=rerank_tokens
        ),
        drain_seconds=drain,
    )
    if check:
        for name, value in vars(settings).items():
            typer.echo(f"{name.replace('_', ' ')}: {value}")
        return
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    from .. import __version__

    run(
        settings,
        version=__version__,
        started=lambda url: typer.echo(f"serving {folder} at {url}"),
    )


def _tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> Any:
    from ..errors import ConfigError
    from ..server.settings import Tls

    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        raise ConfigError("TLS needs both --tls-cert and --tls-key.")
    return Tls(certificate, key, client_ca)
