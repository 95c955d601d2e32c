"""Models of scikit-learn and LightGBM as ONNX files, with what ONNX Runtime gives for them.

    python make_sklearn_files.py FOLDER

with scikit-learn 1.9, skl2onnx 1.20, lightgbm 4.7, onnxmltools 1.16 and onnxruntime 1.32.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
from lightgbm import LGBMClassifier
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from sklearn.svm import SVC, SVR, NuSVC, OneClassSVM

warnings.simplefilter("ignore")


def main(folder):
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 4)).astype("float32")
    classes = (x[:, 0] * 2 + x[:, 1] > 0).astype(int) + (x[:, 2] > 1)
    names, pair = np.array(["a", "b", "c"])[classes], (classes > 0).astype(int)
    value = (x @ np.arange(4) + x[:, 0] ** 2).astype("float32")
    plain = {"zipmap": False}
    models = {
        "linear": (LinearRegression().fit(x, value), None),
        "logistic": (LogisticRegression().fit(x, names), None),
        "forest": (RandomForestClassifier(3, max_depth=3).fit(x, classes), plain),
        "outliers": (IsolationForest(n_estimators=3, max_samples=16).fit(x), None),
        "neighbours": (KNeighborsRegressor(2).fit(x, value), None),
        "network": (MLPClassifier((5,), max_iter=20).fit(x, classes), plain),
        "vectors": (SVC(probability=True).fit(x, classes), plain),
        "vectors_poly": (SVC(probability=True, kernel="poly").fit(x, pair), plain),
        "vectors_pair": (make_pipeline(StandardScaler(), SVC(kernel="linear")).fit(x, pair), None),
        "vectors_many": (NuSVC(nu=0.1, kernel="sigmoid").fit(x, classes), None),
        "vectors_value": (SVR().fit(x, value), None),
        "vectors_own": (OneClassSVM().fit(x), None),
        "pipeline": (make_pipeline(MinMaxScaler(), Normalizer(), SVC()).fit(x, names), None),
    }
    held, maps = {"input": random.normal(size=(6, 4)).astype("float32")}, {}
    files = {}
    for name, (model, options) in models.items():
        options = None if options is None else {id(model): options}
        made = to_onnx(model, x[:1], options=options, target_opset={"": 18, "ai.onnx.ml": 3})
        files[name] = made.SerializeToString()
    boosted = LGBMClassifier(n_estimators=3, max_depth=3, verbose=-1).fit(x, classes)
    made = convert_lightgbm(boosted, initial_types=[("X", FloatTensorType([None, 4]))],
                            target_opset=15)  # fmt: skip
    files["boosted"] = made.SerializeToString()
    for name, data in files.items():
        (folder / f"{name}.onnx").write_bytes(data)
        run = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        for at, found in enumerate(run.run(None, {"X": held["input"]})):
            if isinstance(found, list):
                maps[f"{name}/{at}"] = [[list(pair) for pair in row.items()] for row in found]
            else:
                held[f"{name}/{at}"] = found.astype(str) if found.dtype == object else found
    np.savez_compressed(folder / "outputs.npz", **held)
    (folder / "maps.json").write_text(json.dumps(maps))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
