"""A graph in 8 bits: its token embeddings and its matrices."""

import logging
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from koine.backbones.onnx import INPUTS
from koine.people.export import graph as float32

BLOCK = 64  # weights of a matrix that share a scale in int8: of 32, 64, 128 the fastest; 32 loses a little less
INT8_PRODUCTS = 4  # onnxruntime's accuracy_level: inputs of a matrix product become int8 too, by blocks of a row


def quantise(source: Path, target: Path) -> None:
    """A graph with 8-bit token embeddings and matrices; both are computed with as they are, nothing is unpacked first.

    onnxruntime's `quantize_dynamic` takes one scale for the inputs of a whole batch. So a text's vector changes with the texts
    beside it, and loses more (benchmarks/export.py). Here each row of a batch has scales of its own.
    """
    with float32.quiet():
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        graph = onnx.load(source)
        _rows_to_int8(graph)
        quantiser = MatMulNBitsQuantizer(graph, bits=8, block_size=BLOCK, is_symmetric=True, accuracy_level=INT8_PRODUCTS)
        logging.getLogger(MatMulNBitsQuantizer.__module__).setLevel(logging.ERROR)
        quantiser.process()
    large = graph.ByteSize() > float32.LARGEST
    onnx.save_model(quantiser.model.model, target, save_as_external_data=large, location=f"{target.name}.data")


def _rows_to_int8(model: onnx.ModelProto) -> None:
    """Make the table that the token ids index one of 8 bits, with one scale per row: the largest value of a row is 127."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for place, node in enumerate(graph.node):
        if node.op_type == "Gather" and node.input[1] == INPUTS[0] and node.input[0] in stored:
            name, ids, result = node.input[0], node.input[1], node.output[0]
            rows = numpy_helper.to_array(stored[name])
            scales = np.abs(rows).max(axis=1, keepdims=True) / np.float32(127)
            codes = np.rint(np.divide(rows, scales, out=np.zeros_like(rows), where=scales > 0)).astype(np.int8)
            graph.initializer.append(numpy_helper.from_array(codes, f"{name}.int8"))
            graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scale"))
            made = [
                helper.make_node("Gather", [f"{name}.int8", ids], [f"{result}.int8"]),
                helper.make_node("Cast", [f"{result}.int8"], [f"{result}.codes"], to=onnx.TensorProto.FLOAT),
                helper.make_node("Gather", [f"{name}.scale", ids], [f"{result}.scale"]),
                helper.make_node("Mul", [f"{result}.codes", f"{result}.scale"], [result]),
            ]
            graph.node.remove(node)
            for number, replacement in enumerate(made):
                graph.node.insert(place + number, replacement)
            if not any(name in other.input for other in graph.node):
                graph.initializer.remove(stored[name])
            return
