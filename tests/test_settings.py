import argparse
from pathlib import Path

import pytest

from dogid import settings
from dogid.errors import UsageError
from dogid.settings import Settings
from tests.conftest import MakeDaemon


def load(*flags: str, environ: dict[str, str] | None = None) -> Settings:
    parser = argparse.ArgumentParser()
    settings.add_flags(parser)
    return settings.load(parser.parse_args(flags), environ or {})


def test_defaults_apply_without_flags_and_variables() -> None:
    assert load() == Settings()


def test_flag_overrides_environment_overrides_file(tmp_path: Path) -> None:
    config = tmp_path / "dogid.toml"
    config.write_text("port = 1\nworkers = 1\nsettle = 1\n")

    chosen = load("--config", str(config), "--port", "3", environ={"DOGID_PORT": "2", "DOGID_WORKERS": "2"})

    assert (chosen.port, chosen.workers, chosen.settle) == (3, 2, 1.0)


def test_environment_may_name_the_file(tmp_path: Path) -> None:
    config = tmp_path / "dogid.toml"
    config.write_text('inbox = "/srv/photos"\n', encoding="utf-8-sig")  # as editors on Windows write it

    assert load(environ={"DOGID_CONFIG": str(config)}).inbox == Path("/srv/photos")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prot = 1", "prot: no such setting"),
        ("port = 70000", "port: 70000 is not valid: must be a whole number from 0 to 65535"),
        ('inbox = "~/photos"', "~ does not stand for a home folder here"),
        ("config_file = 1", "config_file: no such setting"),
        ("port = [1]", "port: must be a text or a number"),
        ("[port]", "port: must be a text or a number"),
        ("thresholds = 0.5", "thresholds: must be a table: a line [thresholds]"),
        ("[thresholds]\npug = 2", "thresholds.pug: 2 is not valid: must be a number from 0 to 1"),
        ('[thresholds]\n"german shepherd" = "high"', "thresholds.\"german shepherd\": 'high' is not valid"),
        ('[thresholds]\nhost = "0.0.0.0"', "the setting host belongs above the line [thresholds]"),
        ("port = 1\nmodel = my.tflite", "`model = my.tflite`; text needs quotes"),
        ("port", "`port`; a line is KEY = VALUE"),
        ("[output.phone]", "output: no such setting; did you mean [outputs.NAME]?"),
        ("[rules]", "rules: no such setting; did you mean [[rule]]?"),
        ('[phone]\ntype = "notify"', "phone: no such setting; did you mean [outputs.phone]?"),
        ("[[rule]]\n[rule]", "`[rule]`; each rule begins with a line [[rule]]"),
        ("[rule]\n[[rule]]", "`[[rule]]`; each rule begins with a line [[rule]]"),
        ("[outputs.a]\n[outputs.a]", "`[outputs.a]`; there is a table outputs.a already"),
        ("port = 1\nport = 2", "`port = 2`; the key is in this table already"),
        ("settle = 10s", "a number has no unit, as in settle = 600"),
        ("insecure_no_auth = True", "small letters: insecure_no_auth = true"),
        ("[[rule]]\nlabels = [pug]", 'labels = ["one", "another"]'),
        ('model = "my.tflite', '`model = "my.tflite`; a text has the same quote before and after it'),
        ('model = "C:\\photos"', "a \\ is written twice"),
        ("model = “my.tflite”", "quotes must be the plain ones"),
        ("port =", "there is no value"),
    ],
)
def test_invalid_file_is_rejected_with_name_and_reason(tmp_path: Path, text: str, reason: str) -> None:
    config = tmp_path / "dogid.toml"
    config.write_text(text)

    with pytest.raises(UsageError) as error:
        load("--config", str(config))

    assert str(config) in str(error.value)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--port", "http"),
        ("--port", "-1"),
        ("--settle", "nan"),
        ("--settle", "-1"),
        ("--max-bytes", "1"),
        ("--inbox", ""),
        ("--memory", "1"),
        ("--learning", "yes"),
    ],
)
def test_invalid_value_is_rejected_with_its_flag(flag: str, value: str) -> None:
    with pytest.raises(UsageError, match=flag):
        load(flag, value)


def test_boolean_is_a_bare_flag_and_yes_or_no_elsewhere(tmp_path: Path) -> None:
    config = tmp_path / "dogid.toml"
    config.write_text("insecure_no_auth = true\n")
    assert load().insecure_no_auth is False
    assert load("--insecure-no-auth").insecure_no_auth is True
    assert load("--config", str(config)).insecure_no_auth is True
    assert load("--config", str(config), environ={"DOGID_INSECURE_NO_AUTH": "no"}).insecure_no_auth is False
    with pytest.raises(UsageError, match="yes or no"):
        load(environ={"DOGID_INSECURE_NO_AUTH": "perhaps"})


def test_host_names_are_comma_separated() -> None:
    assert load("--allowed-hosts", "Photos.example, b.example").allowed_hosts == ("photos.example", "b.example")


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("DOGID_INBOXX", "DOGID_INBOXX is not a setting of dogid: did you mean DOGID_INBOX?"),
        ("DOGID_WORKRES", "DOGID_WORKRES is not a setting of dogid: did you mean DOGID_WORKERS?"),
        ("DOGID_USER", "DOGID_USER is not a setting of dogid"),
        ("DOGID_VERSION", "DOGID_VERSION is not a setting of dogid"),
    ],
)
def test_misspelt_variable_has_a_suggestion(name: str, warning: str) -> None:
    assert settings.unknown_variables({name: "x", "DOGID_PORT": "1", "DOGID_BACKEND": "x", "HOME": "/"}) == [warning]


def test_daemon_warns_of_a_misspelt_variable_and_runs(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(environ={"DOGID_SETTEL": "1"}).start()

    assert "DOGID_SETTEL is not a setting of dogid: did you mean DOGID_SETTLE?" in daemon.log_text()
