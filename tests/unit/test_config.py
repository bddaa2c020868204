"""Settings: where they come from, what is refused and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distributor.config import (
    DoubtPolicy,
    Settings,
    find_workspace,
    load,
    load_here,
    parse_keys,
)
from distributor.errors import ConfigError

PLAIN = {
    "newsletter": "News",
    "publisher": "Press",
    "base_url": "https://news.example.org/",
    "postal_address": "1 Road, Town",
    "from_address": "news@Mail.Example.org",
}
KEY, PEPPER = "ab" * 32, "cd" * 32


def write(root: Path, *, secrets: bool = True, mode: int = 0o600, **lines: Any) -> Path:
    """A workspace; values are TOML as they stand, an empty one leaves its line out."""
    values = {name: f'"{value}"' for name, value in PLAIN.items()} | lines
    text = "".join(f"{name} = {value}\n" for name, value in values.items() if value)
    (root / "distributor.toml").write_text(text, encoding="utf-8")
    if secrets:
        path = root / "secrets.toml"
        path.write_text(f'secret_keys = "a:{KEY}"\naddress_pepper = "{PEPPER}"\n')
        path.chmod(mode)
    return root


def named(name: str, value: str) -> dict[str, Any]:
    return {name: value}


def settings(root: Path, **environ: str) -> Settings:
    return load(root, {f"DISTRIBUTOR_{k.upper()}": v for k, v in environ.items()})


def fault(root: Path, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        settings(root, **environ)
    return str(caught.value)


def test_what_is_not_said_has_a_default_inside_the_workspace(tmp_path: Path) -> None:
    found = settings(write(tmp_path))
    assert found.language == "en"
    assert found.time_zone == "UTC"
    assert found.database == f"sqlite:///{tmp_path / 'var' / 'distributor.sqlite'}"
    assert found.broker == "filesystem://"
    assert found.embedded
    assert found.var == tmp_path / "var"
    assert found.issues_dir == tmp_path / "issues"
    assert found.smtp_url.get_secret_value() == "smtp://127.0.0.1:25"
    assert found.in_doubt is DoubtPolicy.RESEND
    assert found.slots == 2


def test_values_derived_from_others(tmp_path: Path) -> None:
    found = settings(write(tmp_path))
    assert found.base_url == "https://news.example.org"
    assert found.domain == "mail.example.org"
    assert found.return_domain == found.domain
    assert found.brand.newsletter == "News"
    assert found.brand.reply_to == found.from_address
    assert repr(found.keyring) == "Keyring(a)"
    assert found.pepper == bytes.fromhex(PEPPER)


def test_what_is_said_wins_over_what_is_derived(tmp_path: Path) -> None:
    found = settings(
        write(
            tmp_path,
            reply_to='"editor@example.org"',
            bounce_domain='"bounces.example.org"',
            broker_url='"redis://broker"',
        )
    )
    assert found.brand.reply_to == "editor@example.org"
    assert found.return_domain == "bounces.example.org"
    assert found.broker == "redis://broker"
    assert not found.embedded


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_postgresql_url_means_psycopg(tmp_path: Path, scheme: str) -> None:
    found = settings(write(tmp_path), database_url=f"{scheme}://u:p@host/name")
    assert found.database == "postgresql+psycopg://u:p@host/name"


def test_the_environment_wins_over_both_files(tmp_path: Path) -> None:
    root = write(tmp_path, language='"de"')
    found = settings(root, language="zh", secret_keys=f"b:{'1' * 64}")
    assert found.language == "zh"
    assert "b:1" in found.secret_keys.get_secret_value()


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    assert settings(write(tmp_path, language='"de"'), language="").language == "de"


def test_secrets_may_come_from_the_environment_alone(tmp_path: Path) -> None:
    found = settings(
        write(tmp_path, secrets=False), secret_keys=f"a:{KEY}", address_pepper=PEPPER
    )
    assert found.pepper == bytes.fromhex(PEPPER)


def test_numbers_of_a_variable_are_separated_by_commas(tmp_path: Path) -> None:
    found = settings(write(tmp_path), retry_after_s="300, 900", slots="7")
    assert list(found.retry_after_s) == [300, 900]
    assert found.slots == 7
    assert settings(write(tmp_path, retry_after_s="[5]")).retry_after_s == (5,)


def test_all_faults_are_told_at_once_with_their_names(tmp_path: Path) -> None:
    lines = fault(
        write(tmp_path, secrets=False, newsletter="", accent='"blue"', colour='"red"')
    ).splitlines()
    assert {line.partition(":")[0] for line in lines} == {
        "newsletter",
        "accent",
        "colour",
        "secret_keys",
        "address_pepper",
    }
    assert any(
        line.startswith("newsletter: is missing (set it in distributor.toml or as "
                        "DISTRIBUTOR_NEWSLETTER")
        for line in lines
    )  # fmt: skip
    assert any("secret_keys: is missing (set it in secrets.toml" in ln for ln in lines)
    assert "colour: is not a setting" in lines


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("base_url", '"ftp://news.example.org"', "must be like https://"),
        ("base_url", '"https://"', "must be like https://"),
        ("base_url", '"https://a.example/?q=1"', "must be like https://"),
        ("base_url", '"https://[half"', "must be like https://"),
        ("base_url", '"https://a.example/#top"', "must be like https://"),
        ("base_url", '"https://a.example:port"', "must be like https://"),
        ("time_zone", '"Mars/Olympus"', "must be a time zone like Europe/Berlin"),
        ("time_zone", '"../etc/passwd"', "must be a time zone like Europe/Berlin"),
        ("time_zone", '"Europe"', "must be a time zone like Europe/Berlin"),
        ("time_zone", '""', "must be a time zone like Europe/Berlin"),
        ("accent", '"#12345"', "accent"),
        ("from_address", '"nobody"', "from_address"),
        ("reply_to", '"a@b@c"', "reply_to"),
        ("publisher", '"two\\nlines"', "must be one line"),
        ("postal_address", '"a\\u2028b"', "must be one line"),
        ("language", '"english please"', "language"),
        ("slots", "0", "slots"),
        ("retry_after_s", "[]", "retry_after_s"),
        ("retry_after_s", "[-1]", "retry_after_s"),
        ("deadline_s", "inf", "deadline_s"),
        ("smtp_timeout_s", "nan", "smtp_timeout_s"),
        ("in_doubt", '"perhaps"', "in_doubt"),
        ("bounce_domain", '"a b"', "bounce_domain"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    write(tmp_path, **named(name, value))
    found = fault(tmp_path)
    assert found.startswith(name)
    assert said in found
    assert "Value error" not in found


@pytest.mark.parametrize("name", ["secret_keys", "address_pepper"])
def test_a_secret_in_the_open_file_is_refused(tmp_path: Path, name: str) -> None:
    found = fault(write(tmp_path, **named(name, '"x"')))
    assert found == f"{name}: belongs into secrets.toml"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_secrets_that_others_can_read_are_refused(tmp_path: Path, mode: int) -> None:
    found = fault(write(tmp_path, mode=mode))
    assert f"chmod 600 {tmp_path / 'secrets.toml'}" in found


@pytest.mark.parametrize(
    "keys", ["a", f"a:{KEY[:-1]}", f"A:{KEY}", f"a:{KEY.upper()}", f"a:{KEY},", "a:xyz"]
)
def test_bad_keys_are_refused_and_never_repeated(tmp_path: Path, keys: str) -> None:
    found = fault(write(tmp_path), secret_keys=keys)
    assert found.startswith("secret_keys: each key is")
    assert KEY[:20] not in found.lower()


def test_several_keys_keep_their_order() -> None:
    assert parse_keys(f"b:{PEPPER}, a:{KEY}") == [
        ("b", bytes.fromhex(PEPPER)),
        ("a", bytes.fromhex(KEY)),
    ]


def test_the_same_key_id_twice_is_refused(tmp_path: Path) -> None:
    found = fault(write(tmp_path), secret_keys=f"a:{KEY},a:{PEPPER}")
    assert found.startswith("secret_keys")


def test_a_bad_pepper_is_refused(tmp_path: Path) -> None:
    assert fault(write(tmp_path), address_pepper="ff") == (
        "address_pepper: must be 64 hex digits"
    )


def test_no_secret_is_in_the_settings_as_printed(tmp_path: Path) -> None:
    found = settings(write(tmp_path), smtp_url="smtp://user:hunter2@relay")
    for text in (repr(found), str(found)):
        assert KEY not in text
        assert PEPPER not in text
        assert "hunter2" not in text


def test_no_password_of_database_or_broker_is_in_the_settings_as_printed(
    tmp_path: Path,
) -> None:
    found = settings(
        write(tmp_path),
        database_url="postgresql://u:hunter2@host/name",
        broker_url="redis://:hunter3@host/0",
    )
    assert "hunter" not in repr(found)


def test_a_fault_does_not_repeat_what_may_be_secret(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "secrets.toml").write_text('secret_keys = ["hunter2"]\n')
    assert "hunter2" not in fault(tmp_path)


@pytest.mark.parametrize("content", [b"newsletter = ", b'newsletter = "\xff"'])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    write(tmp_path)
    (tmp_path / "distributor.toml").write_bytes(content)
    assert fault(tmp_path).startswith("distributor.toml is not valid TOML: ")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "distributor.toml").mkdir()
    assert fault(tmp_path).startswith(f"cannot read {tmp_path / 'distributor.toml'}")


def test_the_workspace_is_found_from_the_folder_upwards(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    write(tmp_path)
    assert find_workspace(deep, {}) == tmp_path
    write(tmp_path / "a")
    assert find_workspace(deep, {}) == tmp_path / "a"


def test_a_named_workspace_wins_over_the_search(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    write(tmp_path)
    other = write(tmp_path / "other")
    assert find_workspace(tmp_path, {"DISTRIBUTOR_WORKSPACE": str(other)}) == other


def test_no_workspace_says_how_to_begin_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run `distributor init`"):
        find_workspace(tmp_path, {})
    with pytest.raises(ConfigError, match=r"no distributor.toml in .*missing"):
        find_workspace(tmp_path, {"DISTRIBUTOR_WORKSPACE": str(tmp_path / "missing")})


def test_the_process_finds_its_own_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISTRIBUTOR_WORKSPACE", raising=False)
    monkeypatch.setenv("DISTRIBUTOR_LANGUAGE", "fr")
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert load_here().root == tmp_path
    assert load_here().language == "fr"
    assert load_here(tmp_path).root == tmp_path
