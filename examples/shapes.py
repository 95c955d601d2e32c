"""Made pictures: coloured circles, squares and triangles on a noisy ground. Not a program itself.

`object_detection.py` and `segmentation.py` learn from them. To use photographs of your own instead,
return the same arrays: images, and for each image its boxes with their labels, or its mask.
"""

import numpy as np

NAMES = ("circle", "square", "triangle")


def made_shapes(count, side=64, most=3, sizes=(0.17, 0.42), seed=0):
    """Pictures with one to `most` things each, whose `sizes` are shares of the side.

    Returns:
        images  (count, side, side, 3), float32 from 0 to 255
        boxes   (count, most, 4), left, top, right, bottom in pixels; -1 where there is no thing
        labels  (count, most), 0 circle, 1 square, 2 triangle; -1 where there is no thing
        masks   (count, side, side), for each pixel 0 for the ground, or 1 + the label of its thing
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] + 0.5  # the middle of each pixel
    images = np.zeros((count, side, side, 3), "float32")
    boxes = np.full((count, most, 4), -1.0, "float32")
    labels = np.full((count, most), -1, "int32")
    masks = np.zeros((count, side, side), "int32")
    for i in range(count):
        images[i] = rng.uniform(40, 140, 3) + (x + y)[..., None] * rng.uniform(-0.6, 0.6, 3)
        for place in range(rng.integers(1, most + 1)):
            size = rng.uniform(*sizes) * side
            left, top = rng.uniform(0, side - size, 2)
            label = rng.integers(len(NAMES))
            u, v = (x - left) / size, (y - top) / size  # from 0 to 1 within the box
            inside = [
                (u - 0.5) ** 2 + (v - 0.5) ** 2 < 0.25,
                (abs(u - 0.5) < 0.5) & (abs(v - 0.5) < 0.5),
                (v < 1) & (abs(u - 0.5) < v / 2),
            ][label]
            if (inside & (masks[i] > 0)).any():  # things do not lie on one another
                continue
            color = rng.uniform(0, 255, 3)
            if abs(color - images[i][inside].mean(0)).max() < 70:  # too near to the ground's
                color = (color + 128) % 256
            images[i][inside] = color
            masks[i][inside] = label + 1
            rows, columns = np.nonzero(inside)
            boxes[i, place] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            labels[i, place] = label
    images += rng.normal(0, 12, images.shape)
    return images.clip(0, 255).astype("float32"), boxes, labels, masks
