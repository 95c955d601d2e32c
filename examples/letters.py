"""Images of letters in many alphabets, for the siamese programs: each kind is one letter.

The fonts come with matplotlib. Letters vary as handwriting does a little: font, size, place,
angle, and noise.
"""

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

SIZE = 20  # pixels a side
LATIN = "ABCDEFGHJKLMNPQRSTUVXYZabdefghkmnqrty"
GREEK = "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθλμξπρσφψω"
CYRILLIC = "БДЖЗИЛЦЧШЩЪЫЭЮЯбвджзилнтцчщэюя"
ARMENIAN = "ԱԲԳԴԵԶԷԹԺԻԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՎՏՐՑՓՔՖ"
FONTS = [
    ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{name}.ttf", size)
    for name in ("DejaVuSans", "DejaVuSerif", "DejaVuSans-Bold", "DejaVuSerif-Bold")
    for size in (13, 15)
]


def draw(letters: str, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Images (letters * count, SIZE, SIZE, 1) from 0 to 1, and the number of each one's letter."""
    labels = np.repeat(np.arange(len(letters)), count)
    images = np.stack([_drawn(letters[label], rng) for label in labels])
    images = images + rng.normal(0, 0.05, images.shape)
    return images[..., None].clip(0, 1).astype("float32"), labels


def _drawn(letter: str, rng: np.random.Generator) -> np.ndarray:
    image = Image.new("L", (2 * SIZE, 2 * SIZE))
    font = FONTS[rng.integers(len(FONTS))]
    place = (SIZE + rng.uniform(-1.5, 1.5), SIZE + rng.uniform(-1.5, 1.5))
    ImageDraw.Draw(image).text(place, letter, fill=255, font=font, anchor="mm")
    image = image.rotate(rng.uniform(-12, 12), Image.Resampling.BILINEAR)
    edge = SIZE // 2
    return np.asarray(image.crop((edge, edge, edge + SIZE, edge + SIZE)), "float32") / 255
