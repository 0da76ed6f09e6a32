"""From a trained network to the file that the service runs."""

import hashlib
import io
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from services.depth_map.estimators.model_files import hash_file
from services.depth_map.training.network import DepthNetwork

_LARGE_ENOUGH = 256


class Mirrored(nn.Module):
    """Looks at a picture and at its mirror image, and gives the mean; what is left and what is right cancels out.

    Takes the picture with what the cues see in it as its fourth channel.
    """

    def __init__(self, network: DepthNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        both = torch.cat([image, image.flip(3)])
        straight, mirrored = self.network(both[:, :3], both[:, 3:]).chunk(2)
        return (straight + mirrored.flip(3)) / 2


def export(network: DepthNetwork, path: Path) -> str:
    """Write the network as ONNX, weights in half precision and arithmetic in single; give the file's SHA-256.

    Beside it lies its hash, by which the service knows that it is the one.
    """
    file = io.BytesIO()
    sides = {0: "pictures", 2: "height", 3: "width"}
    torch.onnx.export(
        Mirrored(network).eval(),
        (torch.rand(1, 4, 96, 128),),
        file,
        input_names=["image"],
        output_names=["nearness"],
        dynamic_axes={"image": sides, "nearness": sides},
        opset_version=17,
        dynamo=False,
    )
    model = _with_half_weights(onnx.load_from_string(file.getvalue()))
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    hash_file(path).write_text(f"{sha256}  {path.name}\n")
    return sha256


def _with_half_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Keep large weights in 16 bits; the runtime widens them once, when it loads the file."""
    kept, casts = [], []
    for weights in model.graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < _LARGE_ENOUGH:
            kept.append(weights)
            continue
        name = f"{weights.name}.half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), name))
        casts.append(helper.make_node("Cast", [name], [weights.name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    return model
