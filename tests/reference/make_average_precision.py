"""Write `average_precision.json`: made boxes and what pycocotools says of them.

Run it where pycocotools 2.0.11 is installed; it needs nothing of nacre. Boxes have whole edges,
confidences two digits, so that some are equal.
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

NAMES = (
    "map map_50 map_75 map_small map_medium map_large "
    "mar_1 mar_10 mar_100 mar_small mar_medium mar_large"
).split()


def made_image(random: np.random.Generator, most: int) -> dict[str, Any]:
    """True boxes (x, y, width, height) with labels; found ones near them and elsewhere."""
    count = int(random.integers(0, most))
    start = random.integers(0, 150, (count, 2))
    boxes = np.concatenate([start, 8 + random.integers(0, 130, (count, 2)) ** 2 // 110], -1)
    labels = random.integers(0, 3, count)
    near = np.repeat(boxes, 2, axis=0)
    near = near + random.integers(-5, 6, near.shape)
    far = np.concatenate([random.integers(0, 150, (8, 2)), random.integers(5, 60, (8, 2))], -1)
    found = np.concatenate([near, far])
    found[:, 2:] = np.maximum(found[:, 2:], 1)
    wrong = random.random(2 * count) < 0.15
    guesses = np.where(wrong, random.integers(0, 4, 2 * count), np.repeat(labels, 2))
    return {
        "boxes": boxes.tolist(),
        "labels": labels.tolist(),
        "is_crowd": (random.random(count) < 0.12).astype(int).tolist(),
        "found": found.tolist(),
        "found_labels": [*guesses.tolist(), *random.integers(0, 4, 8).tolist()],
        "confidences": random.random(len(found)).round(2).tolist(),
    }


def judged(images: list[dict[str, Any]]) -> dict[str, Any]:
    """COCO's numbers, and each class's own."""
    truth: dict[str, Any] = {"images": [], "annotations": []}
    truth["categories"] = [{"id": label} for label in range(4)]
    found = []
    for number, image in enumerate(images):
        truth["images"].append({"id": number})
        rows = zip(image["boxes"], image["labels"], image["is_crowd"], strict=True)
        for box, label, crowd in rows:
            truth["annotations"].append(
                {
                    "id": len(truth["annotations"]) + 1,
                    "image_id": number,
                    "category_id": label,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": crowd,
                }
            )
        rows = zip(image["found"], image["found_labels"], image["confidences"], strict=True)
        for box, label, score in rows:
            found.append({"image_id": number, "category_id": label, "bbox": box, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        data.dataset = truth
        data.createIndex()
        judge = COCOeval(data, data.loadRes(found), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    numbers = dict(zip(NAMES, judge.stats.round(6).tolist(), strict=True))
    precision = judge.eval["precision"][:, :, :, 0, -1]  # (thresholds, recalls, classes)
    numbers["per_class"] = {
        label: round(float(precision[:, :, label].mean()), 6)
        for label in range(4)
        if (precision[:, :, label] > -1).all()
    }
    return numbers


def main() -> None:
    random = np.random.default_rng(7)
    cases = {}
    for name, count, most in (("many", 16, 9), ("few", 2, 3), ("crowded", 2, 30)):
        images = [made_image(random, most) for _ in range(count)]
        cases[name] = {"images": images, "numbers": judged(images)}
    path = Path(__file__).with_name("average_precision.json")
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    for name, case in cases.items():
        print(name, case["numbers"])


if __name__ == "__main__":
    main()
