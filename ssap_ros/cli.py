"""The `ssap` command; each subcommand imports what it needs when it is called."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ssap_ros.backends.base import ModelError
from ssap_ros.errors import InputError, NodeError

_OK, _NODE_FAILED, _BAD_INPUT, _INTERRUPTED = 0, 1, 2, 130

_EXAMPLES = """examples:
  ssap doctor                                   what is installed, and what is missing
  ssap replay street.mp4 --out out/street       masks on a video, made by the ROS 2 node
  ssap replay drive.mcap --out out/drive --policy every
  ssap replay scenes:7 --out out/scenes         the procedural street, no data needed
  ssap evaluate --annotations val.json --images val/ --json out/val.json
  ssap train --config config/train_street.yaml --resume
  ssap export --checkpoint runs/street/checkpoint.pt --out engines/ssap_street.onnx
"""


class _Parser(argparse.ArgumentParser):
    """Tells a wrong command line in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_BAD_INPUT, f"ssap: error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 all went well, 1 the node failed or doctor found something missing, 2 bad input (told in one
    line on stderr), 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (InputError, ModelError) as error:
        return _tell(error, _BAD_INPUT)
    except NodeError as error:
        return _tell(error, _NODE_FAILED)
    except KeyboardInterrupt:
        print("ssap: interrupted", file=sys.stderr)
        return _INTERRUPTED


def _tell(error: Exception, code: int) -> int:
    print(f"ssap: error: {' '.join(str(error).split())}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="ssap",
        description="Instance masks for ROS 2 cameras: replay, evaluate, train, export, doctor.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, run: Any, text: str, details: str) -> argparse.ArgumentParser:
        child = commands.add_parser(
            name,
            help=text,
            description=details,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        child.set_defaults(run=run)
        return child

    child = command(
        "replay", _replay, "play a recording into the node and keep its answers",
        "Starts the ROS 2 node, plays SOURCE into its camera topic and writes overlay.mp4,\n"
        "pictures, summary.json and node.log to the output folder.",
    )  # fmt: skip
    child.add_argument(
        "source", metavar="SOURCE", help="video, image folder, ROS 2 bag (mcap, db3), scenes[:SEED]"
    )
    child.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder for the results"
    )
    child.add_argument(
        "--max-frames", type=_positive, metavar="N", help="play the first N frames only"
    )
    child.add_argument(
        "--policy", choices=("every", "latest"), default="latest",
        help="latest: real time, the node skips what it cannot keep up with (default); "
        "every: wait for the node, lose nothing",
    )  # fmt: skip
    _add_model(child)
    child.add_argument("--json", action="store_true", help="print summary.json to stdout")

    child = command(
        "evaluate", _evaluate, "score the masks on annotated images",
        "Runs the pipeline, without ROS, on annotated images and writes mask AP and AP50, overall\n"
        "and per class, as JSON.",
    )  # fmt: skip
    child.add_argument("--format", choices=("coco",), default="coco", help="annotation format")
    child.add_argument("--annotations", required=True, type=Path, metavar="JSON")
    child.add_argument(
        "--images", required=True, type=Path, metavar="DIR", help="folder of the images"
    )
    child.add_argument(
        "--json", required=True, type=Path, metavar="OUT", help="file for the scores"
    )
    child.add_argument("--limit", type=_positive, metavar="N", help="the first N images only")
    child.add_argument(
        "--grouping", choices=("affinity", "components"), default="affinity",
        help="components: the baseline, each connected region of a class is one instance",
    )  # fmt: skip
    child.add_argument(
        "--long-side",
        type=_positive,
        metavar="N",
        help="longer side of the network input in pixels",
    )
    _add_model(child)

    child = command(
        "train", _train, "train a network",
        "Trains as a YAML file says (see config/train_street.yaml), on the GPU if there is one.",
    )  # fmt: skip
    child.add_argument("--config", required=True, type=Path, metavar="YAML")
    child.add_argument(
        "--data-root", type=Path, metavar="DIR", help="folder of the data (default: data.root)"
    )
    child.add_argument("--resume", action="store_true", help="go on from the last checkpoint")

    child = command(
        "export", _export, "write a trained network as ONNX",
        "Writes the averaged weights of a checkpoint as an ONNX model that the node can load.",
    )  # fmt: skip
    child.add_argument("--checkpoint", required=True, type=Path, metavar="PT")
    child.add_argument("--out", required=True, type=Path, metavar="ONNX")
    child.add_argument("--fp16", action="store_true", help="half-precision weights, half the size")
    child.add_argument(
        "--long-side",
        type=_positive,
        metavar="N",
        help="input size that the model asks for, in pixels",
    )
    child.add_argument(
        "--affinity-bias", type=float, nargs=5, default=(0.0,) * 5, metavar="B",
        help="added to the affinity logits at strides 4, 8, 16, 32 and 64: below 0 it separates\n"
        "objects, above 0 it joins them (calibrated on a validation set)",
    )  # fmt: skip

    child = command(
        "doctor", _doctor, "what is installed, and what is missing",
        "Looks at ROS 2, the messages, the compiled core, the GPU and the model, and says how\n"
        "to get what is missing. Exit code 0 if the node can run, else 1.",
    )  # fmt: skip
    _add_model(child)
    child.add_argument("--json", action="store_true", help="the findings as JSON")
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default="", metavar="PATH", help="ONNX model (default: the one shipped)"
    )


def _positive(text: str) -> int:
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return value


def _replay(options: argparse.Namespace) -> int:
    _require("rclpy", "ROS 2 is not here: run `make setup`, or source a ROS 2 distribution")
    from ssap_ros.evaluation.ledger import describe
    from ssap_ros.evaluation.replay import replay

    summary = replay(
        options.source,
        options.out,
        max_frames=options.max_frames,
        policy=options.policy,
        model=options.model,
    )
    print(describe(summary, options.out), file=sys.stderr)
    if options.json:
        print(json.dumps(summary, indent=2))
    return _OK


def _evaluate(options: argparse.Namespace) -> int:
    from ssap_ros.config import SsapConfig
    from ssap_ros.evaluation.coco import evaluate_coco
    from ssap_ros.evaluation.progress import ProgressLine

    try:
        config = SsapConfig(model_file_path=options.model, input_long_side=options.long_side or 0)
        options.json.parent.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise InputError(str(error)) from error
    except OSError as error:
        raise InputError(f"cannot write {options.json}: {error.strerror}") from error
    progress = ProgressLine("evaluate")
    result = evaluate_coco(
        options.annotations,
        options.images,
        config,
        options.limit,
        lambda done, total: progress.show(f"{done}/{total} images", force=done == total),
        options.grouping,
    )
    progress.end()
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    rows = {"all": result, **result["classes"]}
    for name, score in rows.items():
        ap, ap50 = ("   -" if score[k] is None else f"{score[k]:.3f}" for k in ("AP", "AP50"))
        print(f"{name:12} AP {ap}  AP50 {ap50}")
    return _OK


def _train(options: argparse.Namespace) -> int:
    _require_torch()
    from ssap_ros.training.train import train

    print(f"checkpoint: {train(options.config, options.resume, options.data_root)}")
    return _OK


def _export(options: argparse.Namespace) -> int:
    _require_torch()
    from ssap_ros.network.export import export_onnx

    export_onnx(
        options.checkpoint, options.out, options.fp16, options.long_side, options.affinity_bias
    )
    print(f"written: {options.out} ({options.out.stat().st_size / 1e6:.1f} MB)")
    return _OK


def _doctor(options: argparse.Namespace) -> int:
    from ssap_ros.doctor import examine, report

    findings = examine(options.model)
    print(
        json.dumps([f.as_dict() for f in findings], indent=2) if options.json else report(findings)
    )
    return _OK if all(finding.ok for finding in findings) else 1


def _require_torch() -> None:
    _require("torch", "PyTorch is not installed: pip install -r environment/requirements-train.txt")


def _require(module: str, cure: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise InputError(cure)


if __name__ == "__main__":
    sys.exit(main())
