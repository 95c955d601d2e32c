"""Rows of CSV, JSON and raw bytes; files and folders by tf.io."""

import json
import os

import numpy as np
import tensorflow as tf

with open("people.csv", "w") as file:
    file.write("name,age,height,works\nAnn,30,1.7,yes\nBob,,1.8,no\nCy,25,,yes\nDee,41,1.6,no\n")
with open("people.csv") as file:
    lines = file.read().strip().split("\n")[1:]
kinds = [str(), int(), float(), str()]
for column in tf.io.decode_csv(lines, record_defaults=kinds):
    print(column.numpy().tolist(), column.dtype)
made = tf.data.experimental.make_csv_dataset("people.csv", batch_size=2, label_name="works", num_epochs=1, shuffle=False)
for features, label in made:
    print({name: value.numpy().tolist() for name, value in features.items()}, label.numpy().tolist())
text = tf.data.TextLineDataset("people.csv").skip(1).filter(lambda line: tf.strings.regex_full_match(line, ".*yes"))
print([line.numpy().decode() for line in text])


def fields(line):
    name, age, height = tf.io.decode_csv(line, [[""], [0], [0.0]], select_cols=[0, 1, 2])
    return {"age": age, "height": height}, tf.strings.length(name)


for features, length in tf.data.TextLineDataset(["people.csv"]).skip(1).map(fields).batch(4):
    print(features["age"].numpy().tolist(), np.round(features["height"].numpy(), 2).tolist(), length.numpy().tolist())

numbers = np.arange(6, dtype="<i2")
raw = tf.io.decode_raw(numbers.tobytes(), tf.int16)
print(raw.numpy().tolist(), tf.io.decode_raw(tf.constant([b"\x01\x02", b"\x03\x04"]), tf.uint8).numpy().tolist())
tf.io.write_file("deep/er/kept.txt", tf.constant("hello\nworld"))
print(tf.io.read_file("deep/er/kept.txt").numpy(), tf.io.gfile.exists("deep/er"), tf.io.gfile.isdir("deep"))
tf.io.gfile.makedirs("more")
tf.io.gfile.copy("deep/er/kept.txt", "more/copy.txt", overwrite=True)
print(sorted(tf.io.gfile.listdir("more")), [os.path.basename(p) for p in tf.io.gfile.glob("more/*")])
with tf.io.gfile.GFile("more/notes.json", "w") as file:
    file.write(json.dumps({"a": [1, 2]}))
with tf.io.gfile.GFile("more/notes.json") as file:
    print(json.load(file))
tf.io.gfile.rmtree("more")
print(tf.io.gfile.exists("more"), tf.strings.as_string(tf.constant([1.5, 2.25]), precision=1).numpy().tolist())
print(tf.io.decode_base64(tf.io.encode_base64("any text")).numpy(), tf.io.matching_files("deep/*/*.txt").numpy().tolist())
packed = tf.io.serialize_tensor(tf.constant([[1, 2], [3, 4]]))
print(tf.io.parse_tensor(packed, out_type=tf.int32).numpy().tolist(), tf.strings.to_number("3.5").numpy())
records = tf.data.FixedLengthRecordDataset("deep/er/kept.txt", record_bytes=5, header_bytes=0, footer_bytes=1)
print([r.numpy() for r in records])
try:
    tf.io.read_file("not there")
except tf.errors.NotFoundError as error:
    print("not found", "not there" in str(error))
