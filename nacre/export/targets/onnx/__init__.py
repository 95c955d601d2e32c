"""ONNX: files that onnxruntime, OpenVINO, TensorRT and many others run.

support     what it has
body        a graph of ONNX in the making
forms/      ops of the graph in ONNX, one file a family
write       the bytes
readback    what runs them
target      the format

What differs from the model, seen in ONNX Runtime 1.32 on CPUs: MaxPool, LSTM and GRU may pass over
a NaN that the model's would give; casts to integers of 32 bits wrap beyond their range, and give
the smallest of NaN. An LSTM or GRU of an empty batch ends the process: give one sample at least.
"""
