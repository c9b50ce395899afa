"""Where the files lie that are shipped with the package: model, parameters, transport profile."""

from __future__ import annotations

from pathlib import Path

DEFAULT_MODEL = "ssap_street.onnx"


def share_path(relative: str) -> Path:
    """The shipped file `relative`, for instance `config/ssap.yaml`.

    In a source checkout it lies beside the package, in an installation in `share/ssap_ros` of the
    prefix. Where it is in neither, the path of the checkout is returned, for an error to name.
    """
    folders = list(Path(__file__).resolve().parents)[2:]
    candidates = [folders[0], *(folder / "share" / "ssap_ros" for folder in folders)]
    found = (folder / relative for folder in candidates if (folder / relative).is_file())
    return next(found, folders[0] / relative)


def default_model_path() -> Path:
    """The ONNX model that is used when none is configured; it may not exist."""
    return share_path(f"engines/{DEFAULT_MODEL}")
