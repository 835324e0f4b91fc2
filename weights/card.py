"""Model cards: what is known of an entry, for people, out of the catalogue alone."""

from __future__ import annotations

from collections.abc import Iterator

from weights.spec import Added, InputSpec, ModelSpec, SourceFile


def model_card(spec: ModelSpec) -> str:
    """The card of one entry as Markdown, ending in a line break."""
    sections = [f"# {spec.id}", spec.title, _facts(spec)]
    if spec.added:
        sections += ["## Added here", _added(spec.added)]
    if spec.input:
        sections += ["## Input", "\n".join(f"- {line}" for line in _input(spec.input))]
    for heading, text in (
        ("Output", spec.output),
        ("Training data", spec.training_data),
        ("Accuracy", "\n".join(f"- {each.figure}. Source: {each.source}." for each in spec.published)),
        ("Notes", spec.notes),
        ("Alternatives", spec.alternatives),
    ):
        if text:
            sections += [f"## {heading}", text]
    named = [label for label in spec.labels if label]
    if len(named) > 1:
        sections += [f"## Labels ({len(named)})", ", ".join(named)]
    return "\n\n".join(sections) + "\n"


def _facts(spec: ModelSpec) -> str:
    to_fetch = "given here" if spec.added else f"{_bytes(spec.source.download_bytes)} to fetch"
    lines = [
        f"- Task: {spec.task}; family: {spec.family}; version: {spec.version}",
        f"- Licence: {spec.licence}. {spec.licence_note}".rstrip(),
        f"- Source: {spec.source.label} ({spec.source.kind}), {to_fetch}",
    ]
    for file in spec.source.files:
        lines.append(
            f"- Source file: {file.path}, {_bytes(file.size_bytes)}, SHA-256 {file.sha256 or 'unknown'}"
        )
        lines.append(f"- Who vouches for that hash: {_voucher(file)}")
    if spec.conversion:
        lines.append(f"- Converted by us to ONNX: {spec.size_bytes:,} bytes, SHA-256 {spec.sha256}")
    if spec.dimension:
        lines.append(f"- Embedding length: {spec.dimension}")
    if spec.machine:
        lines.append(f"- Runs on: {spec.machine}")
    if spec.picture:
        lines += [f"- Shows: {spec.picture.person}, {spec.picture.occasion}", f"- By: {spec.picture.credit}"]
    return "\n".join(lines)


def _added(added: Added) -> str:
    lines = [f"- By {added.by}, {added.at}, who vouches for it; nobody else does."]
    lines += [f"- Converted here from {added.converted_from}."] if added.converted_from else []
    lines += [f"- {finding}" for finding in added.findings]
    return "\n".join(lines)


def _input(spec: InputSpec) -> Iterator[str]:
    width, height = spec.size_wh
    if width:
        yield f"Size: {width}×{height} pixels"
    if spec.multiple_of_px:
        yield f"Any width and height that are multiples of {spec.multiple_of_px} pixels"
    yield f"Colour order: {spec.colour.upper()}, values 0 to 255, then (x − mean) × scale"
    yield f"Mean: {', '.join(f'{value:g}' for value in spec.mean)}"
    yield f"Scale: {', '.join(f'{value:.6g}' for value in spec.scale)}"
    if spec.landmarks_template:
        points = ", ".join(f"({x:g}, {y:g})" for x, y in spec.landmarks_template)
        yield f"Aligned so that the five landmarks fall on {points}"


def _voucher(file: SourceFile) -> str:
    """Whose word the hash is; where upstream's could not be learnt, that and why."""
    if file.sha256 and not file.no_upstream_hash:
        return file.vouched_by or "this project, which found it in the package named above"
    reason = f"upstream's own could not be learnt: {file.no_upstream_hash}"
    return f"{file.vouched_by or 'nobody, so it is not fetched until you pin it'} ({reason})"


def _bytes(count: int) -> str:
    return f"{count:,} bytes" if count else "an unknown number of bytes"
