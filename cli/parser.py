"""The words of the `disyre` command: what can be asked for, and what `--help` says of it."""

import argparse
import math
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from cli.options import add_options
from disyre import INTENDED_USE, __version__

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

URL: Final = "http://127.0.0.1:8000"
"""Of a service on this machine."""
URL_VARIABLE: Final = "DISYRE_URL"
KEY_FILE_VARIABLE: Final = "DISYRE_KEY_FILE"

NAMES: Final = "1 to 63 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit"
"""What the name of a key may be."""

_STATUSES: Final = (
    "Exit status: 0 if all went well; 1 if not, and stderr has the reason; 2 if the command was wrong; 130 "
    "after Ctrl-C. The --help of a command says what that is for it, and whether there are others."
)
_ONE_SHOT: Final = (
    "Without IN and OUT, the folders are those that a platform names: MERCURE_IN_DIR and MERCURE_OUT_DIR, "
    "MONAI_INPUTPATH and MONAI_OUTPUTPATH, or HOLOSCAN_INPUT_PATH and HOLOSCAN_OUTPUT_PATH. "
    "Exit status: 0 if OUT has the results; 1 if the scan was refused, or could not be read, scored or "
    "written; 2 if the command was wrong, or named no folders; 78 if disyre is set up wrongly; 130 after "
    "Ctrl-C, 143 after SIGTERM."
)
_TRAINING: Final = {
    "train": "train a restoration network",
    "export": "make a model package of a training run",
    "calibrate": "set the threshold of a model on healthy scans of your own",
    "evaluate": "measure models on cases with known lesions",
    "reproduce": "a figure of the papers, from the data that it was published for",
}
"""Commands that have options of their own; here they are only named."""


def make_parser() -> argparse.ArgumentParser:
    """The parser; what it finds has, beside the options, the `environment` of `scripts/setup` and a `parser`.

    That is the one of the command; None of commands that take what follows themselves.
    """
    parser = argparse.ArgumentParser(
        prog="disyre", description=f"Anomaly maps of brain MRI. {INTENDED_USE}", epilog=_STATUSES
    )
    parser.add_argument("--version", action="version", version=f"disyre {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    _add_stack(commands)
    _add_submit(commands)
    _add_score(commands)
    _add_receive(commands)
    _add_keys(commands)
    _add_audit(commands)
    for name, text in _TRAINING.items():
        command = commands.add_parser(name, help=text, add_help=False)
        command.set_defaults(environment="train", parser=None)
    return parser


def _add_stack(commands: Commands) -> None:
    serve = commands.add_parser(
        "serve",
        help="start broker, worker and API on this machine",
        description="Starts broker, worker and API on 127.0.0.1, until Ctrl-C or SIGTERM.",
        epilog="Exit status: 0 if it was told to stop; 1 if it did not start; 2 if the command was wrong.",
    )
    serve.add_argument("--port", type=int, default=8000, help="of the API; default: %(default)s")
    serve.add_argument(
        "--data-dir", type=_path, default=Path("data"), help="uploads, results, logs; default: %(default)s"
    )
    serve.set_defaults(environment="serve", parser=serve)

    demo = commands.add_parser(
        "demo",
        help="score the examples over HTTP and show what was found",
        epilog="Exit status: 0 if all scans were scored; 1 if one was not; 2 if the command was wrong.",
    )
    demo.add_argument(
        "--examples", type=_path, default=Path("examples"), help="folder of scans; default: %(default)s"
    )
    demo.add_argument("--out", type=_path, default=Path("out"), help="for the results; default: %(default)s")
    demo.set_defaults(environment="serve", parser=demo)


def _add_submit(commands: Commands) -> None:
    submit = commands.add_parser(
        "submit",
        help="score scans with a service that runs already",
        epilog="Exit status: 0 if all scans were scored and their results are here (with --no-wait: if all "
        "were accepted); 1 if one was not, whatever became of the others, or if a folder was left out that "
        "may have scans; 2 if the command was wrong; 130 after Ctrl-C, 143 after SIGTERM: "
        "what was sent goes on, and stderr says where, unless --cancel-on-interrupt is given.",
    )
    submit.add_argument(
        "scans", nargs="*", type=_path, metavar="SCAN", help="a file, or a folder with scans in it or below"
    )
    submit.add_argument(
        "--from-pacs",
        nargs=3,
        action="append",
        default=[],
        metavar=("SERVER", "STUDY", "SERIES"),
        help="have the service fetch a series from an archive that its operator has listed; STUDY and SERIES "
        "are UIDs; may be repeated",
    )
    submit.add_argument(
        "--url",
        help=f"address of the service; default: {URL}, or what {URL_VARIABLE} in the environment says",
    )
    submit.add_argument(
        "--key-file",
        type=_path,
        metavar="FILE",
        help=f"file with an API key; default: no key, or the file that {KEY_FILE_VARIABLE} names",
    )
    submit.add_argument(
        "--out",
        type=_path,
        default=Path("out"),
        metavar="FOLDER",
        help="for the results; default: %(default)s",
    )
    submit.add_argument(
        "--mask",
        type=_path,
        metavar="FILE",
        help="brain mask on the grid of the only scan; default: <scan>_mask.nii.gz beside it, if it is there",
    )
    submit.add_argument(
        "--each-series",
        action="store_true",
        help="make a job of each DICOM series in a folder or zip, with results in series-1 and so on; "
        "without it, one of several has to be named (--series-uid)",
    )
    submit.add_argument("--no-wait", action="store_true", help="end once the scans are accepted")
    submit.add_argument("--json", action="store_true", help="print a JSON object for each scan")
    submit.add_argument(
        "--retry-for",
        type=_seconds,
        default=60.0,
        metavar="S",
        help="seconds to ask again a service that is busy or does not answer; default: %(default)g",
    )
    submit.add_argument(
        "--cancel-on-interrupt",
        action="store_true",
        help="at Ctrl-C or SIGTERM, cancel the jobs that were accepted",
    )
    add_options(submit)
    submit.set_defaults(environment="serve", parser=submit)


def _add_score(commands: Commands) -> None:
    score = commands.add_parser("score", help="score one scan here, without a service", epilog=_ONE_SHOT)
    score.add_argument("source", nargs="?", type=_path, metavar="IN", help="a file, or a folder of one scan")
    score.add_argument("out", nargs="?", type=_path, metavar="OUT", help="folder for the results")
    score.add_argument(
        "--mask",
        type=_path,
        metavar="FILE",
        help="brain mask on the grid of the scan; default: <scan>_mask.nii.gz beside it, if it is there",
    )
    add_options(score, is_queued=False)
    score.set_defaults(environment="serve", parser=score)


def _add_receive(commands: Commands) -> None:
    receive = commands.add_parser(
        "receive",
        help="take series from a PACS by C-STORE, and send their results back",
        description="Takes series by C-STORE, has those that its rules take scored by a service that runs "
        "already, and sends results on by C-STORE, until Ctrl-C or SIGTERM. Its settings are DISYRE_URL, "
        "DISYRE_KEY_FILE and DISYRE_RECEIVER_..., see docs/pacs.md.",
        epilog="Exit status: 0 if it was told to stop; 2 if the command was wrong; 78 if it is set up "
        "wrongly.",
    )
    receive.set_defaults(environment="serve", parser=receive)


def _add_keys(commands: Commands) -> None:
    keys = commands.add_parser("keys", help="make, list and revoke API keys").add_subparsers(
        required=True, metavar="COMMAND", dest="key_command"
    )
    _add_new_key(keys)
    listed = keys.add_parser(
        "list",
        help="name, id, scopes and end of each key",
        epilog="Exit status: 0 if all is listed; 1 if there is no file of keys; 2 if the command was wrong.",
    )
    revoked = keys.add_parser(
        "revoke",
        help="take all keys of a name out of the file",
        epilog="The API refuses them a second later, without a restart, and ends what listens with them. "
        "Exit status: 0 if they are revoked; "
        "1 if not, as where no key would be left, and then nothing was written; 2 if the command was wrong.",
    )
    revoked.add_argument("name", metavar="NAME", help="whose keys they are")
    revoked.add_argument("--id", metavar="ID", help="only the key of this id, which `keys list` shows")
    for each in (listed, revoked):
        _add_key_file(each)


def _add_key_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", type=_path, help="default: the one that DISYRE_API_KEYS_FILE names")
    parser.set_defaults(environment="serve", parser=parser)


def _add_new_key(keys: Commands) -> None:
    new = keys.add_parser(
        "new",
        help="make a key, print it, and store its hash",
        epilog="Exit status: 0 if the key was made; 1 if not, and then nothing was written; 2 if the command "
        "was wrong.",
    )
    new.add_argument(
        "name",
        metavar="NAME",
        help=f"whom it is for; jobs belong to the name. {NAMES}",
    )
    new.add_argument("--scopes", default="read,submit", help="of read, submit, admin; default: %(default)s")
    _add_key_file(new)
    new.add_argument(
        "--not-after",
        type=_moment,
        metavar="TIME",
        help="when the key ends, as 2027-01-31T12:00Z; default: it does not",
    )


def _add_audit(commands: Commands) -> None:
    audit = commands.add_parser("audit", help="look at the audit log")
    verify = audit.add_subparsers(required=True, metavar="COMMAND", dest="audit_command").add_parser(
        "verify",
        help="find lines that were changed, taken out or put in",
        epilog="Exit status: 0 if all is as it was written; 1 if a line is not; 2 if the command was wrong, "
        "or no log can be read there.",
    )
    verify.add_argument("folder", metavar="FOLDER", type=_path, help="audit/ of the data folder")
    verify.set_defaults(environment="serve", parser=verify)


def _path(text: str) -> Path:
    """A path; an empty text is none, though `Path` makes the current folder of it."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, got an empty text; the current folder is '.'")
    return Path(text)


def _moment(text: str) -> datetime:
    """A moment with its zone, as ISO 8601."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"expected a time with its zone, as 2027-01-31T12:00Z, got '{text}'")
    return moment


def _seconds(text: str) -> float:
    """A time that is not negative."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds, 0 or more, got '{text}'")
    return seconds
