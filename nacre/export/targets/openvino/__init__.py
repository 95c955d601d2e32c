"""OpenVINO's intermediate representation: NAME.xml with the graph, NAME.bin with the numbers.

It is made of an ONNX file by OpenVINO itself, which is needed to write it. Where the package
openvino-telemetry is installed beside it, OpenVINO tells its makers of each read, in a process of
its own; `opt_in_out --opt_out` stops that.

target      the format, over that of ONNX
sequences   recurrent layers of one input, kept apart
readback    what runs it
"""
