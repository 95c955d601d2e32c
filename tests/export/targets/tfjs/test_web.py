"""The page: its files, and in a real browser a digit that is drawn and answered."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.export.targets.tfjs.readback import HOW_TO_INSTALL, package_folder

layers = nacre.layers
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
in_a_browser = pytest.mark.skipif(
    CHROMIUM is None or package_folder() is None,
    reason=f"a browser is needed (apt install chromium), and TF.js: {HOW_TO_INSTALL}",
)

# Strokes as a person draws them: lists of points of the canvas.
ZERO = [[(140 + 60 * np.cos(a), 140 + 100 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 40)]]
ONE = [[(140, y) for y in range(30, 251, 10)]]

_DRAW = """
<script>
(async () => {
  while (!document.body.dataset.ready && !document.querySelector('.wrong')) {
    await new Promise(next => setTimeout(next, 20));
  }
  await tf.setBackend('cpu');  // a graphics card's answer comes when the browser has gone
  const canvas = document.querySelector('canvas');
  const tell = (kind, [x, y]) => {
    const box = canvas.getBoundingClientRect();
    canvas.dispatchEvent(new PointerEvent(kind, {pointerId: 1, clientX: box.left + x, clientY: box.top + y}));
  };
  for (const stroke of STROKES) {
    tell('pointerdown', stroke[0]);
    for (const point of stroke) tell('pointermove', point);
    tell('pointerup', stroke[stroke.length - 1]);
  }
})();
</script>
"""


def answers(folder: Any, then: str) -> str:
    """The page's text after a script ran in it."""
    page = folder / "test.html"
    text = (folder / "index.html").read_text("utf-8")
    page.write_text(text.replace("</html>", f"{then}</html>"), "utf-8")
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--virtual-time-budget=20000", f"--user-data-dir={folder}/profile", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.split("<script")[0]


def best(text: str) -> str:
    found = re.search(r'<p id="best">(.*?)</p>', text)
    assert found, text[-2000:]
    return found.group(1)


def digits_model() -> Any:
    """A small net that knows the digits of 8 × 8 pixels that scikit-learn has."""
    sklearn = pytest.importorskip("sklearn.datasets")
    found = sklearn.load_digits()
    x, y = (found.images / 16).astype("float32")[..., None], found.target
    nacre.utils.set_random_seed(0)
    model = nacre.Sequential(
        [
            nacre.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=15, batch_size=64, verbose=0)
    return model


def test_a_page_has_the_model_and_says_what_the_classes_are_called(tmp_path: Any) -> None:
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(2, activation="softmax")])
    model.export(tmp_path / "page", format="web", class_names="cat, dog", verbose=False)
    text = (tmp_path / "page" / "model.js").read_text("utf-8")
    said = json.loads(text.partition("=")[2].strip().rstrip(";"))
    assert said["page"] == {"class_names": ["cat", "dog"], "pixels": 1.0, "margin": 0.15}
    assert "NACRE_MODEL" in (tmp_path / "page" / "index.html").read_text("utf-8")
    for wrong in ({"margin": 0.5}, {"pixels": 0}, {"class_names": 3}, {"class_names": ["cat"]}):
        with pytest.raises(nacre.core.errors.ArgumentError, match=next(iter(wrong))):
            model.export(tmp_path / "page", format="web", **wrong)


@pytest.mark.slow
@in_a_browser
def test_a_digit_that_is_drawn_is_answered_in_a_browser(tmp_path: Any) -> None:
    report = digits_model().export(tmp_path / "page", format="web", margin=0.0, verbose=False)
    assert report.is_verified
    for strokes, digit in ((ZERO, "0"), (ONE, "1")):
        points = json.dumps([[[float(x), float(y)] for x, y in stroke] for stroke in strokes])
        assert best(answers(tmp_path / "page", _DRAW.replace("STROKES", points))) == digit


@pytest.mark.slow
@in_a_browser
def test_numbers_are_given_where_there_is_no_picture(tmp_path: Any) -> None:
    a, b = nacre.Input((2,), name="a"), nacre.Input((2,), name="b")
    model = nacre.Model([a, b], layers.Subtract(name="less")([a, b]))
    model.export(tmp_path / "page", format="web", class_names=["x", "y"], verbose=False)
    script = """<script>(async () => {
      while (!document.body.dataset.ready) await new Promise(next => setTimeout(next, 20));
      const [a, b] = document.querySelectorAll('textarea');
      [a.value, b.value] = ['5, 7', '1, 9'];
      await compute();
    })();</script>"""
    text = answers(tmp_path / "page", script)
    assert best(text) == "x"
    assert re.findall(r'class="number">(.*?)<', text) == ["4", "-2"]


@pytest.mark.parametrize(
    ("first", "white"),
    [
        ([], 1.0),
        ([layers.Rescaling(1 / 16)], 16.0),
        ([layers.Rescaling(1 / 255)], 255.0),
        ([layers.Rescaling(1 / 127.5, offset=-1)], 255.0),
        ([layers.Lambda(lambda x: x / 255.0)], 255.0),
    ],
)
def test_a_white_pixel_is_what_the_model_itself_makes_one_of(tmp_path, first, white):
    model = nacre.Sequential(
        [nacre.Input((8, 8, 1)), *first, layers.Flatten(), layers.Dense(10, activation="softmax")]
    )
    model.export(tmp_path / "page", format="web", verify=False, verbose=False)
    text = (tmp_path / "page" / "model.js").read_text("utf-8")
    found = float(re.findall(r'"pixels": ([0-9.]+)', text)[0])
    assert found == pytest.approx(white, rel=1e-5)
    model.export(tmp_path / "page", format="web", pixels=7, verify=False, verbose=False)
    assert '"pixels": 7.0' in (tmp_path / "page" / "model.js").read_text("utf-8")


@pytest.mark.parametrize("names", ["0,1,2", (0, 1, 2), ["0", "1", "2"]])
def test_classes_may_be_called_by_numbers(names: Any, tmp_path: Any) -> None:
    """On a command line `class_names=0,1,2` reads as numbers. Pictures may be bytes, and the model
    quantized."""
    if package_folder() is None:
        pytest.skip(HOW_TO_INSTALL)
    picture = nacre.Input((8, 8, 1), dtype="uint8")
    y = layers.Flatten()(layers.Rescaling(1 / 255)(picture))
    model = nacre.Model(picture, layers.Dense(3, activation="softmax")(layers.Dense(16)(y)))
    model.quantize("int8")
    report = model.export(tmp_path / "m", format="web", class_names=names, verbose=False)
    assert report is not None and report.is_verified
    text = (tmp_path / "m" / "model.js").read_text("utf-8")
    page = json.loads(text[text.index("=") + 1 :].strip().rstrip(";"))["page"]
    assert (page["class_names"], page["pixels"]) == (["0", "1", "2"], 255.0)
