"""Pairs of numbers side by side, added in one instruction.

A pair of float32 travels as one float64, a pair of float64 as one complex128; `as_pairs` reinterprets the last axis
``[..., 2]`` of an array, and `add_pairs` adds number by number.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload


@intrinsic
def _add_packed(typingctx, x, y):
    def codegen(context, builder, signature, args):
        two = ir.VectorType(ir.FloatType(), 2)
        total = builder.fadd(*(builder.bitcast(a, two) for a in args))
        return builder.bitcast(total, ir.DoubleType())

    return types.float64(types.float64, types.float64), codegen


def as_pairs(array):
    """View of ``array [..., 2]`` as ``[..., 1]`` pairs."""
    return array.view(np.float64 if array.dtype == np.float32 else np.complex128)


def add_pairs(x, y):
    """Sum of two pairs."""
    raise TypeError("pairs are added inside compiled code")


@overload(as_pairs)
def _as_pairs(array):
    if array.dtype == types.float32:
        return lambda array: array.view(np.float64)
    return lambda array: array.view(np.complex128)


@overload(add_pairs, inline="always")
def _add_pairs(x, y):
    if isinstance(x, types.Complex):
        return lambda x, y: x + y
    return lambda x, y: _add_packed(x, y)
