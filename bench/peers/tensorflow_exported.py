"""The nets of `bench.exported` by TensorFlow's own converter, and by tf2onnx where it is installed.

python -m bench.peers.tensorflow_exported FOLDER
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from bench.peers.exported_nets import NETS, with_weights


def main(folder: Path) -> None:
    tf: Any = importlib.import_module("tensorflow")
    has_onnx = importlib.util.find_spec("tf2onnx") is not None
    for name in NETS:
        net = with_weights(tf.keras, name)
        converter = tf.lite.TFLiteConverter.from_keras_model(net)
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS,
            tf.lite.OpsSet.SELECT_TF_OPS,
        ]
        (folder / f"{name}.peer.tflite").write_bytes(converter.convert())
        if has_onnx:
            tf2onnx: Any = importlib.import_module("tf2onnx")
            spec = (tf.TensorSpec((None, *net.inputs[0].shape[1:]), tf.float32, name="x"),)
            call = tf.function(lambda x, net=net: net(x, training=False), input_signature=spec)
            path = str(folder / f"{name}.peer.onnx")
            tf2onnx.convert.from_function(call, spec, opset=18, output_path=path)
        print(name, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
