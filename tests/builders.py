"""Frames, pictures, videos and small models made on the spot, so that no binary lies in git."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from vision.types import Image

RED, GREEN, BLUE, WHITE = (0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255)


def plain(size_wh: tuple[int, int] = (64, 48), colour: tuple[int, int, int] = (90, 90, 90)) -> Image:
    """A picture of one colour, BGR."""
    return np.full((size_wh[1], size_wh[0], 3), colour, dtype=np.uint8)


def noise(size_wh: tuple[int, int] = (64, 48), seed: int = 0) -> Image:
    """A picture in which no two places look alike."""
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


def smooth(size_wh: tuple[int, int] = (64, 48), seed: int = 0) -> Image:
    """As `noise`, without edges: resampling it twice gives it back nearly unchanged."""
    blurred = cv2.GaussianBlur(noise(size_wh, seed), (0, 0), 5)
    stretched = (blurred.astype(np.float32) - 128) * 6 + 128
    return np.clip(stretched, 0, 255).astype(np.uint8)


def numbered(index: int, size_wh: tuple[int, int] = (96, 64)) -> Image:
    """A picture whose brightness says which one it is, with a red corner at the top left."""
    image = plain(size_wh, (10 + index * 4 % 200,) * 3)
    image[:24, :32] = RED
    return image


def write_image(path: Path, image: Image) -> Path:
    """The picture as a file of the kind its suffix names."""
    assert cv2.imwrite(str(path), image)
    return path


def write_video(
    path: Path,
    images: Sequence[Image],
    *,
    fps: int = 25,
    codec: str = "libx264",
    pts: Sequence[int] | None = None,
    rotation: int | None = None,
    index_first: bool = False,
) -> Path:
    """A video of these pictures.

    Args:
        path: its suffix names the container.
        images: all of one size, sides even.
        fps: frames a second, where `pts` does not say otherwise.
        codec: FFmpeg's name of the encoder.
        pts: time of each picture in 1 / fps.
        rotation: degrees counter-clockwise by which players turn it.
        index_first: for MP4: the index before the pictures, so that a cut file still opens.
    """
    options = {"movflags": "faststart"} if index_first else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = images[0].shape[1], images[0].shape[0], "yuv420p"
        stream.codec_context.gop_size = 10
        stream.codec_context.time_base = Fraction(1, fps)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = pts[index] if pts else index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_audio(path: Path) -> Path:
    """Half a second of silence, without a picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def affine_model(
    shape: Sequence[int | str] = ("batch", 3), factor: float = 2.0, *, external: bool = False
) -> bytes:
    """An ONNX model with one input `x` and one output `y` = factor · x."""
    weight = numpy_helper.from_array(np.array(factor, np.float32), "factor")
    if external:
        weight.data_location = TensorProto.EXTERNAL
        entry = weight.external_data.add()
        entry.key, entry.value = "location", "/etc/hostname"
        weight.ClearField("raw_data")
    return model_of([helper.make_node("Mul", ["x", "factor"], ["y"])], {"x": shape}, {"y": shape}, [weight])


def constant_model(input_shape: Sequence[int | str], outputs: dict[str, npt.NDArray[np.float32]]) -> bytes:
    """An ONNX model that answers the same whatever it is given; its outputs keep their whole shapes."""
    # The input takes part with weight zero: runtimes refuse inputs nobody reads.
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    constants = [numpy_helper.from_array(np.array(0, np.float32), "zero")]
    for name, value in outputs.items():
        constants.append(numpy_helper.from_array(np.asarray(value, np.float32), f"{name}_value"))
        nodes.append(helper.make_node("Add", [f"{name}_value", "nothing"], [name]))
    shapes: dict[str, Sequence[int | str]] = {name: value.shape for name, value in outputs.items()}
    return model_of(nodes, {"images": input_shape}, shapes, constants)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, Sequence[int | str]],
    outputs: dict[str, Sequence[int | str]],
    constants: Sequence[TensorProto] = (),
) -> bytes:
    """A float32 ONNX model of these nodes."""

    def declared(shapes: dict[str, Sequence[int | str]]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
            for name, shape in shapes.items()
        ]

    graph = helper.make_graph(list(nodes), "test", declared(inputs), declared(outputs), list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
