"""Time-series forecasting: how much current will a town need in the next 24 hours?

    python examples/forecasting.py

A series becomes a table of windows: what was known (the last week), and what came after (a day).
A forecast is only worth something if it beats what needs no network: "as yesterday in this hour",
"as a week ago". The picture shows a week that was not trained on, forecast midnight by midnight.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import nacre as keras
from nacre import layers

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run

# ------------------------------------------------------------------------------------ the data
# Two years, hour by hour: people get up and come home, rest at weekends, and heat in winter. The
# weather wanders from day to day, so yesterday tells more than last week.
rng = np.random.default_rng(0)
hours = np.arange(2 * 365 * 24)
hour, day = hours % 24, hours // 24
bumps = np.exp(-(((hour - 8) / 2.5) ** 2)) + 1.4 * np.exp(-(((hour - 19) / 3) ** 2))
is_weekend = day % 7 >= 5
weather = np.zeros(len(hours))
for i in range(1, len(hours)):
    weather[i] = 0.99 * weather[i - 1] + rng.normal(0, 0.9)
winter = np.cos(2 * np.pi * day / 365)
load = 60 + 18 * bumps * np.where(is_weekend, 0.6, 1.0) + 10 * winter + weather
load = (load + rng.normal(0, 1.0, len(hours))).astype("float32")  # megawatts

# The last fifth is the future: never shuffle before you split a series.
split = len(load) * 4 // 5
mean, deviation = load[:split].mean(), load[:split].std()
clock = np.stack([np.sin(2 * np.pi * hour / 24), np.cos(2 * np.pi * hour / 24), is_weekend], -1)
table = np.concatenate([((load - mean) / deviation)[:, None], clock], -1).astype("float32")

# --------------------------------------------------------------------------------- the windows
PAST, AHEAD = 7 * 24, 24


def windows(first, last, shuffle=False):
    """Pairs of a week, (168, 4), and the day after it, (24,), as batches."""
    return keras.utils.timeseries_dataset_from_array(
        table[first : last - AHEAD],
        np.lib.stride_tricks.sliding_window_view(table[first + PAST : last, 0], AHEAD),
        sequence_length=PAST,
        sequence_stride=6 if shuffle else 24,  # every sixth hour; in the test each midnight
        batch_size=32,
        shuffle=shuffle,
        seed=1,
    )


train = windows(0, 2000 if options.quick else split, shuffle=True)
test = windows(split // 24 * 24, len(load))

# --------------------------------------------------------------------------------- the network
# Convolutions with growing gaps see a whole week in four layers.
inputs = keras.Input(shape=(PAST, table.shape[-1]))
x = inputs
for gap in (1, 4, 12, 24):
    x = layers.Conv1D(32, 3, dilation_rate=gap, padding="causal", activation="relu")(x)
week_ago, yesterday = inputs[:, :AHEAD, 0], inputs[:, -AHEAD:, 0]
x = layers.Concatenate()([layers.Dropout(0.3)(x[:, -1]), week_ago, yesterday, inputs[:, -1]])
# It starts from yesterday and says only what will be different: less to learn.
outputs = layers.Add()([yesterday, layers.Dense(AHEAD)(x)])
model = keras.Model(inputs, outputs)
model.compile(optimizer=keras.optimizers.Adam(0.001), loss="mae")
model.fit(train, epochs=2 if options.quick else 20, verbose=2)

# ------------------------------------------------------------------------ days it has not seen
past, truth = (np.concatenate(parts) for parts in zip(*test, strict=True))
found = model.predict(past, verbose=0)


def error(forecast):
    """Mean absolute error in megawatts."""
    return float(np.abs(forecast - truth).mean() * deviation)


print(f"error: {error(found):.2f}")
baselines = {"as a week ago": past[:, :AHEAD, 0], "as yesterday": past[:, -AHEAD:, 0]}
for what, values in baselines.items():
    print(f"error of '{what}': {error(values):.2f}")
print(f"share of the better one: {error(found) / min(map(error, baselines.values())):.3f}")

shown = slice(20, 27) if len(truth) > 27 else slice(0, 7)
figure, (top, bottom) = plt.subplots(2, 1, figsize=(11, 6), layout="constrained")
for what, values, style in (
    ("needed", truth, "k-"),
    ("forecast", found, "C0-"),
    ("as yesterday", baselines["as yesterday"], "C1:"),
):
    top.plot(values[shown].reshape(-1) * deviation + mean, style, label=what)
top.set(title="A week, forecast day by day", xlabel="hour", ylabel="megawatts")
for what, values in {"forecast": found, **baselines}.items():
    bottom.plot(np.abs(values - truth).mean(0) * deviation, "o-", label=what)
bottom.set(title="Mean error", xlabel="hours ahead", ylabel="megawatts", ylim=(0, None))
top.legend()
bottom.legend()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "forecasting.png", dpi=120)
