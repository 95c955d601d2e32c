"""Small pictures, and the ways to open and to write them that are compared with real Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

KINDS = ("rgb", "rgba", "wide_grey", "palette", "turned")
COLOR_MODES = ("rgb", "rgba", "grayscale")
SIZES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "nearest": {"target_size": (7, 9)},
    "cut to the shape": {
        "target_size": (3, 2), "interpolation": "bilinear", "keep_aspect_ratio": True,
    },
    "cut and made larger": {"target_size": (9, 4), "keep_aspect_ratio": True},
    "lanczos": {"target_size": (4, 9), "interpolation": "lanczos"},
    "box": {"target_size": (2, 2), "interpolation": "box"},
}  # fmt: skip
CHANNELS = (1, 3, 4)


def write_pictures(folder: Path) -> dict[str, Path]:
    """Write one picture of each kind, without loss; name -> file."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (6, 5, 4), dtype="uint8")
    turned = Image.fromarray(pixels[..., :3])
    turned.getexif()[0x112] = 6  # held sideways
    grey = Image.fromarray(draw.integers(0, 60000, (6, 5)).astype("uint16"))
    images = {
        "rgb": Image.fromarray(pixels[..., :3]),
        "rgba": Image.fromarray(pixels),
        "wide_grey": grey,
        "palette": Image.fromarray(pixels[..., :3]).quantize(8),
        "turned": turned,
    }
    paths = {name: folder / f"{name}.png" for name in KINDS}
    for name, path in paths.items():
        images[name].save(path, exif=images[name].getexif())
    return paths


def drawn(channels: int) -> np.ndarray:
    """Numbers from 0 to 200 in the shape of a picture."""
    return np.random.default_rng(channels).random((5, 4, channels)) * 200


def results(utils: Any, folder: Path) -> dict[str, np.ndarray]:
    """What `keras.utils`, or who has its names, makes of all of them."""
    found: dict[str, np.ndarray] = {}
    for name, path in write_pictures(folder).items():
        for mode in COLOR_MODES:
            for size, arguments in SIZES.items():
                image = utils.load_img(path, color_mode=mode, **arguments)
                found[f"{name}, {mode}, {size}, {image.mode}"] = utils.img_to_array(image)
    for channels in CHANNELS:
        for scale in (True, False):
            image = utils.array_to_img(drawn(channels), scale=scale)
            found[f"{channels} channels, {scale}, {image.mode}"] = np.asarray(image)
    return found
