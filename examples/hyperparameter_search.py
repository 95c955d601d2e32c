"""Hyper-parameter search: which width and which rate are best, and is it luck?

    pip install scikit-learn
    python examples/hyperparameter_search.py

A model becomes an estimator of scikit-learn, whose search then trains one network for each
combination and each fold: every row is used for the judgement once, by a network that has not seen
it. The picture shows the mean accuracy of each combination, the file beside it the whole table.
"""

import argparse
import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nacre as keras
from nacre import layers
from nacre.datasets import breast_cancer

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run

(x_train, y_train), (x_test, y_test) = breast_cancer.load_data()  # comes with nacre


def network(X, y, units, rate):
    """What is searched for are the arguments; scikit-learn fills in X and y."""
    model = keras.Sequential(
        [
            keras.Input(shape=X.shape[1:]),
            layers.Dense(units, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(y.shape[-1], activation="softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="categorical_crossentropy")
    return model


estimator = keras.wrappers.SKLearnClassifier(
    network,
    model_kwargs={"units": 8, "rate": 0.01},
    fit_kwargs={"epochs": 2 if options.quick else 15, "batch_size": 32, "verbose": 0},
    random_state=1,
)
# A pipeline, so that each fold learns mean and deviation from its own training rows only.
search = GridSearchCV(
    make_pipeline(StandardScaler(), estimator),
    {
        "sklearnclassifier__model_kwargs": [
            {"units": units, "rate": rate}
            for units in ((4, 16) if options.quick else (2, 8, 32))
            for rate in ((0.01,) if options.quick else (0.0005, 0.005, 0.05))
        ]
    },
    cv=2 if options.quick else 3,
    scoring="accuracy",
)
search.fit(x_train, y_train)

# ------------------------------------------------------------------------------- what was found
results = search.cv_results_
best_first = np.argsort(results["rank_test_score"], kind="stable")
rows = [
    {
        **results["params"][place]["sklearnclassifier__model_kwargs"],
        "accuracy": round(float(results["mean_test_score"][place]), 4),
        "deviation of folds": round(float(results["std_test_score"][place]), 4),
    }
    for place in best_first
]
for row in rows[:5]:
    print(row)
accuracy = search.score(x_test, y_test)  # the best one, trained again on all training rows
print(f"combinations: {len(rows)}")
print(f"gain over the worst: {rows[0]['accuracy'] - rows[-1]['accuracy']:.3f}")
print(f"test accuracy: {accuracy:.3f}")

options.out.mkdir(parents=True, exist_ok=True)
with open(options.out / "hyperparameter_search.csv", "w", newline="", encoding="utf-8") as file:
    table = csv.DictWriter(file, list(rows[0]))
    table.writeheader()
    table.writerows(rows)

# Differences smaller than the deviation of the folds are luck: then take the smaller network.
figure, axis = plt.subplots(figsize=(10, 4), layout="constrained")
names = [f"{row['units']} units, rate {row['rate']}" for row in rows]
axis.errorbar(
    [row["accuracy"] for row in rows],
    range(len(rows)),
    xerr=[row["deviation of folds"] for row in rows],
    fmt="o",
    capsize=3,
)
axis.set_yticks(range(len(rows)), names)
axis.invert_yaxis()
axis.set(title=f"Accuracy and its deviation (best one on test rows: {accuracy:.1%})")
figure.savefig(options.out / "hyperparameter_search.png", dpi=120)
