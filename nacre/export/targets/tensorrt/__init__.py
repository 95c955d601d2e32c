"""TensorRT: ONNX files in ops that its parser takes.

An engine is built where the graphics card is that runs it; the command that does it is written
beside. The numbers of the file itself are compared in ONNX Runtime.

target      the format, over that of ONNX
segments    sums by index as products
"""
