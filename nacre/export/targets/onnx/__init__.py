"""ONNX: files that onnxruntime, OpenVINO, TensorRT and many others run.

support     what it has
body        a graph of ONNX in the making
forms/      ops of the graph in ONNX, one file a family
write       the bytes
readback    what runs them
target      the format
"""
