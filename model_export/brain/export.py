"""A trained brain network -> its package: ONNX, manifest, card, with figures on heads kept out of training.

python -m model_export.brain.export FOLDER_OF_LABEL_MAPS RUN models/brain/3
"""

import argparse
import hashlib
import io
import logging
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Final

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

from disyre import INTENDED_USE, brain
from disyre.brain_extraction import BrainFinder
from disyre.brain_package import MANIFEST_FILE, BrainManifest
from disyre.brain_size import LEAST_BRAIN_ML
from disyre.errors import NotBrainMr
from disyre.model_manifest import TrainingData
from disyre.model_package import CARD_FILE, NETWORK_FILE
from disyre.volume import Volume
from model_export.brain.heads import ONE_WITHOUT_HEAD, SPACING_MM, synthesize
from model_export.brain.label_maps import LabelMap, read_label_maps
from model_export.brain.network import STRIDE, BrainNet
from model_export.brain.surface import Agreement
from model_export.brain.train import HELD_OUT
from model_export.figure import rounded
from model_export.onnx_graph import OPSET

logger = logging.getLogger(__name__)

_FIRST_SEED: Final = 2 * 10**9
"""Of the heads that are measured on: no others begin here."""
_N_HEADS: Final = 60
_TOLERANCE: Final = 1e-4
_SHAPE: Final = (112, 128, 112)
"""Voxels of a head that is measured on, and of the least frame that the network is given."""


class _Probability(nn.Module):
    def __init__(self, network: BrainNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(self.network(image))


def to_onnx(network: BrainNet) -> bytes:
    """The network as ONNX.

    Input: `image` float32 [1, 1, x, y, z] in [0, 1], edges that are multiples of the stride. Output: `brain`,
    the probability of being brain, of the same shape.
    """
    axes = {2: "x", 3: "y", 4: "z"}
    buffer = io.BytesIO()
    example = torch.zeros(1, 1, 2 * STRIDE, 3 * STRIDE, 4 * STRIDE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer is deprecated, and warns of what is dynamic on purpose
        torch.onnx.export(
            _Probability(network).eval(),
            (example,),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            do_constant_folding=False,  # so that weights keep their names, and a training can begin with them
            input_names=["image"],
            output_names=["brain"],
            dynamic_axes={"image": axes, "brain": axes},
        )
    model = onnx.load_from_string(buffer.getvalue())
    model.producer_name, model.graph.name = "disyre", "brain"
    model.doc_string = f"Brain extraction. {INTENDED_USE}"
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def verify(network: BrainNet, exported: ort.InferenceSession) -> float:
    """The largest difference between torch and ONNX on an image of another shape than the traced one."""
    image = torch.rand(1, 1, 5 * STRIDE, 4 * STRIDE, 3 * STRIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = _Probability(network).eval()(image).numpy()
    (got,) = exported.run(["brain"], {"image": image.numpy()})
    return float(np.abs(got - expected).max())


def measure(exported: ort.InferenceSession, maps: list[LabelMap]) -> dict[str, float]:
    """Agreement with the truth on synthesised heads, as a scan is treated."""

    def run(image: np.ndarray) -> np.ndarray:
        (brain,) = exported.run(["brain"], {"image": image[None, None]})
        return np.asarray(brain[0, 0])

    finder = BrainFinder(run, spacing_mm=SPACING_MM, stride=STRIDE, least_shape=_SHAPE)
    found: list[Agreement] = []
    n_refused = n_wrongly = 0
    for number in range(_N_HEADS):
        head = synthesize(maps, _FIRST_SEED + ONE_WITHOUT_HEAD * number + 1, _SHAPE)
        volume = Volume(head.image.numpy(), np.diag([SPACING_MM] * 3 + [1.0]))
        truth = head.brain.numpy() > 0
        try:
            mask = finder(volume).mask
        except NotBrainMr:
            n_refused += 1
            n_wrongly += brain.volume_ml(truth, volume) >= LEAST_BRAIN_ML
            continue
        found.append(Agreement.of(mask, truth, (SPACING_MM,) * 3))
    return figures(found, n_refused=n_refused, n_wrongly=n_wrongly)


def figures(found: Sequence[Agreement], *, n_refused: int, n_wrongly: int) -> dict[str, float]:
    """Means over heads; some were refused, and of these some (`n_wrongly`) with enough brain in view."""
    dice, hd95_mm = [each.dice for each in found], [each.hd95_mm for each in found]
    return {
        "heads": float(len(found) + n_refused),
        "refused": float(n_refused),
        "wrongly_refused": float(n_wrongly),
        "dice": rounded(np.mean(dice), 4),
        "dice_p5": rounded(np.percentile(dice, 5), 4),
        "dice_with_wrongly_refused": rounded(np.mean(dice + [0.0] * n_wrongly), 4),
        "hd95_mm": rounded(np.mean(hd95_mm), 4),
        "hd95_mm_p95": rounded(np.percentile(hd95_mm, 95), 4),
    }


def main() -> None:
    """Write the package of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("label_maps", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("package", type=Path, help="folder to write, such as models/brain/3")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    state = torch.load(options.run / "checkpoint.pt", weights_only=True)
    network = BrainNet()
    network.load_state_dict(state["average"])
    exported = to_onnx(network)
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    apart = verify(network, session)
    if apart > _TOLERANCE:
        raise SystemExit(f"export: expected torch and ONNX to agree to {_TOLERANCE}, got {apart:.2g}")
    paths = sorted(options.label_maps.glob("*.nii.gz"))
    metrics = measure(session, read_label_maps(paths[-HELD_OUT:]))
    logger.info("%s", metrics)
    _write(options.package, exported, network, metrics, n_maps=len(paths) - HELD_OUT, steps=state["step"])


def _write(
    folder: Path, exported: bytes, network: BrainNet, metrics: dict[str, float], *, n_maps: int, steps: int
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    manifest = BrainManifest(
        version=folder.name,
        created_at=datetime.now(UTC).replace(microsecond=0),
        sha256=hashlib.sha256(exported).hexdigest(),
        n_parameters=sum(parameter.numel() for parameter in network.parameters()),
        spacing_mm=SPACING_MM,
        stride=STRIDE,
        least_shape=_SHAPE,
        training_data=(
            TrainingData(
                name="SynthSeg label maps",
                n_scans=n_maps,
                licence="Apache-2.0",
                url="https://github.com/BBillot/SynthSeg",
            ),
        ),
        licence="Apache-2.0",
        intended_use=INTENDED_USE,
        metrics={**metrics, "steps": float(steps)},
    )
    (folder / NETWORK_FILE).write_bytes(exported)
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    template = Template((Path(__file__).parent / "card.md").read_text(encoding="utf-8"))
    card = template.substitute(
        {
            **metrics,
            "heads": f"{metrics['heads']:.0f}",
            "refused": f"{metrics['refused']:.0f}",
            "wrongly_refused": f"{metrics['wrongly_refused']:.0f}",
            "version": folder.name,
            "n_maps": n_maps,
            "n_held_out": HELD_OUT,
            "steps": steps,
        },
        size_mb=f"{len(exported) / 1e6:.1f}",
        n_parameters=f"{manifest.n_parameters:,}",
        intended_use=INTENDED_USE,
    )
    (folder / CARD_FILE).write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
