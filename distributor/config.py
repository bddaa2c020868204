"""Settings: `distributor.toml` in the workspace, overridden by `DISTRIBUTOR_*`.

The file is flat, so one rule names everything: setting `smtp_url` is the variable
`DISTRIBUTOR_SMTP_URL`. Secrets live in `secrets.toml` beside it (mode 0600) or in
the environment, never in `distributor.toml`. This module alone reads the environment.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from distributor.errors import ConfigError
from distributor.issue import Brand
from subscribers import InvalidAddress, Keyring, parse_address

CONFIG_NAME = "distributor.toml"
SECRETS_NAME = "secrets.toml"
PREFIX = "DISTRIBUTOR_"
SECRETS = frozenset({"secret_keys", "address_pepper"})


class DoubtPolicy(StrEnum):
    """What becomes of a delivery in doubt (it may have been accepted)."""

    RESEND = "resend"  # once more, the same bytes and Message-ID: never lost
    HOLD = "hold"  # left for staff to look at: never twice


def _one_line(value: str) -> str:
    if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", value):
        raise ValueError("must be one line without control characters")
    return value.strip()


def _base_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = bool(parts.scheme in {"http", "https"} and parts.hostname)
        _ = parts.port  # raises for what is no port
    except ValueError:
        usable = False
    if not usable or set(value) & set("?# "):
        raise ValueError("must be like https://news.example.org")
    return value.rstrip("/")


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be a time zone like Europe/Berlin or UTC") from error
    return value


def _address(value: str) -> str:
    try:
        return parse_address(value).address
    except InvalidAddress as error:
        raise ValueError(str(error)) from error


def _numbers(value: object) -> object:
    """`300, 900` in a variable is the list [300, 900] in the file."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Line = Annotated[str, AfterValidator(_one_line)]
Url = Annotated[str, AfterValidator(_base_url)]
MailAddress = Annotated[str, AfterValidator(_address)]
Domain = Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")]
Seconds = Annotated[float, Field(gt=0, le=30 * 86400)]


class Settings(BaseModel):
    """Every setting, checked; frozen. Units are in the names (`_s` = seconds)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # --- Who publishes ---
    newsletter: Line = Field(min_length=1, max_length=200)
    publisher: Line = Field(min_length=1, max_length=200)
    description: Line = ""
    base_url: Url
    language: str = Field(default="en", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    postal_address: Line = Field(min_length=1)
    accent: str = Field(default="#0b5394", pattern=r"^#[0-9a-fA-F]{6}$")
    from_address: MailAddress
    reply_to: MailAddress | None = None
    bounce_domain: Domain | None = None
    fallback_name: Line = "reader"

    # --- Where things are (empty = inside the workspace) ---
    database_url: str = Field(default="", repr=False)  # may hold a password
    broker_url: str = Field(default="", repr=False)
    smtp_url: SecretStr = SecretStr("smtp://127.0.0.1:25")

    # --- How it sends ---
    slots: int = Field(default=2, ge=1, le=256)
    connections: int = Field(default=10, ge=1, le=500)
    messages_per_connection: int = Field(default=1000, ge=1)
    chunk: int = Field(default=100, ge=1, le=1000)
    smtp_timeout_s: Seconds = 60
    final_dot_timeout_s: Seconds = 600
    retry_after_s: Annotated[tuple[Seconds, ...], BeforeValidator(_numbers)] = Field(
        default=(300, 900, 1800, 3600, 7200, 14400, 28800), min_length=1
    )
    deadline_s: Seconds = 48 * 3600
    in_doubt: DoubtPolicy = DoubtPolicy.RESEND
    doubt_wait_s: Seconds = 60
    max_doubts: int = Field(default=3, ge=1, le=100)
    tick_s: Seconds = 5

    # --- Secrets (secrets.toml or the environment) ---
    secret_keys: SecretStr
    address_pepper: SecretStr

    root: Path

    @property
    def brand(self) -> Brand:
        """Who publishes, as the renderer wants it."""
        return Brand(
            newsletter=self.newsletter,
            publisher=self.publisher,
            description=self.description,
            postal_address=self.postal_address,
            accent=self.accent,
            from_address=self.from_address,
            reply_to=self.reply_to or self.from_address,
        )

    @property
    def var(self) -> Path:
        """Folder of everything the service writes."""
        return self.root / "var"

    @property
    def issues_dir(self) -> Path:
        """Folder of the issues' Markdown files."""
        return self.root / "issues"

    @property
    def database(self) -> str:
        """SQLAlchemy URL; `postgresql://` means psycopg 3."""
        url = self.database_url or f"sqlite:///{self.var / 'distributor.sqlite'}"
        return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)

    @property
    def broker(self) -> str:
        """Broker URL; the default needs no server (folders in the workspace)."""
        return self.broker_url or "filesystem://"

    @property
    def embedded(self) -> bool:
        """Whether this workspace runs its own workers, on this machine only."""
        return not self.broker_url

    @property
    def domain(self) -> str:
        """Domain of the visible sender; Message-IDs and List-Ids end in it."""
        return self.from_address.rpartition("@")[2]

    @property
    def return_domain(self) -> str:
        """Domain of the return path, where bounces go."""
        return self.bounce_domain or self.domain

    @property
    def keyring(self) -> Keyring:
        """Keys of every token; the first is current, the others still open."""
        return Keyring(parse_keys(self.secret_keys.get_secret_value()))

    @property
    def pepper(self) -> bytes:
        """Key of the address hashes; it never rotates."""
        return bytes.fromhex(self.address_pepper.get_secret_value())


def parse_keys(text: str) -> list[tuple[str, bytes]]:
    """`a:64 hex digits, b:…` -> [(key id, 32 bytes)]; raises ConfigError."""
    keys = []
    for part in text.split(","):
        key_id, _, digits = part.strip().partition(":")
        if not re.fullmatch(r"[0-9a-z]:[0-9a-f]{64}", f"{key_id}:{digits}"):
            raise ConfigError(
                "secret_keys: each key is one letter or digit, a colon and 64 hex "
                f"digits (`distributor init` writes them into {SECRETS_NAME})"
            )
        keys.append((key_id, bytes.fromhex(digits)))
    if len(dict(keys)) < len(keys):
        raise ConfigError("secret_keys: two keys have the same letter before the colon")
    return keys


def find_workspace(start: Path, environ: Mapping[str, str]) -> Path:
    """The nearest folder with a `distributor.toml`, from `start` upwards.

    `DISTRIBUTOR_WORKSPACE` wins over the search. Raises ConfigError.
    """
    named = environ.get(f"{PREFIX}WORKSPACE")
    if named:
        start = Path(named)
        if not (start / CONFIG_NAME).is_file():
            raise ConfigError(
                f"no {CONFIG_NAME} in {start}: `distributor init {named}`"
            )
        return start.resolve()
    for folder in [start.resolve(), *start.resolve().parents]:
        if (folder / CONFIG_NAME).is_file():
            return folder
    raise ConfigError(
        f"no {CONFIG_NAME} here or above: run `distributor init` to start a workspace "
        "here, or name one with --workspace"
    )


def load(root: Path, environ: Mapping[str, str]) -> Settings:
    """The checked settings of the workspace `root`; raises ConfigError with all faults.

    Precedence: environment, `secrets.toml`, `distributor.toml`, defaults.
    """
    values = _read_toml(root / CONFIG_NAME)
    misplaced = sorted(SECRETS & values.keys())
    if misplaced:
        raise ConfigError(f"{', '.join(misplaced)}: belongs into {SECRETS_NAME}")
    if (root / SECRETS_NAME).exists():
        _refuse_readable_by_others(root / SECRETS_NAME)
        values |= _read_toml(root / SECRETS_NAME)
    values |= _from_environment(environ)
    try:
        settings = Settings(**{**values, "root": root.resolve()})
    except ValidationError as error:
        raise ConfigError(_all_faults(error)) from None
    parse_keys(settings.secret_keys.get_secret_value())
    _check_pepper(settings.address_pepper.get_secret_value())
    return settings


def load_here(workspace: Path | None = None) -> Settings:
    """`load` with this process's folder and environment."""
    environ = dict(os.environ)  # noqa: TID251
    if workspace is not None:
        environ[f"{PREFIX}WORKSPACE"] = str(workspace)
    return load(find_workspace(Path.cwd(), environ), environ)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not valid TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    known = Settings.model_fields.keys() - {"root"}
    names = {name: f"{PREFIX}{name.upper()}" for name in known}
    return {name: environ[key] for name, key in names.items() if environ.get(key)}


def _refuse_readable_by_others(path: Path) -> None:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{path} can be read by others: run `chmod 600 {path}`")


def _check_pepper(digits: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ConfigError("address_pepper: must be 64 hex digits")


def _all_faults(error: ValidationError) -> str:
    lines = []
    for fault in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in fault["loc"])
        lines.append(f"{name}: {_fault_sentence(name, fault['type'], fault['msg'])}")
    return "\n".join(lines)


def _fault_sentence(name: str, kind: str, message: str) -> str:
    if kind == "missing":
        where = SECRETS_NAME if name in SECRETS else CONFIG_NAME
        return f"is missing (set it in {where} or as {PREFIX}{name.upper()})"
    if kind == "extra_forbidden":
        return "is not a setting"
    return message.removeprefix("Value error, ")
