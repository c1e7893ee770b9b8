"""Pairs of numbers side by side, multiplied and added in one instruction.

A pair of float32 travels as one float64, a pair of float64 as one complex128; `as_pairs` reinterprets the last axis
``[..., 2]`` of an array, `multiply_add_pairs` works number by number.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload


@intrinsic
def _multiply_add_packed(typingctx, x, y, z):
    def codegen(context, builder, signature, args):
        two = ir.VectorType(ir.FloatType(), 2)
        x, y, z = (builder.bitcast(a, two) for a in args)
        total = builder.fadd(builder.fmul(x, y, flags=("contract",)), z, flags=("contract",))
        return builder.bitcast(total, ir.DoubleType())

    return types.float64(types.float64, types.float64, types.float64), codegen


@intrinsic
def _twice_packed(typingctx, x):
    def codegen(context, builder, signature, args):
        pair = ir.Constant(ir.VectorType(ir.FloatType(), 2), ir.Undefined)
        for k in range(2):
            pair = builder.insert_element(pair, args[0], ir.Constant(ir.IntType(32), k))
        return builder.bitcast(pair, ir.DoubleType())

    return types.float64(types.float32), codegen


def as_pairs(array):
    """View of ``array [..., 2]`` as ``[..., 1]`` pairs."""
    return array.view(np.float64 if array.dtype == np.float32 else np.complex128)


def multiply_add_pairs(x, y, z):
    """``x y + z``, number by number."""
    raise TypeError("pairs are multiplied inside compiled code")


def pair_of(n, like):
    """The pair ``(n, n)``, of the type of the pair ``like``."""
    raise TypeError("pairs are made inside compiled code")


@overload(as_pairs)
def _as_pairs(array):
    if array.dtype == types.float32:
        return lambda array: array.view(np.float64)
    return lambda array: array.view(np.complex128)


@overload(multiply_add_pairs, inline="always")
def _multiply_add_pairs(x, y, z):
    if isinstance(x, types.Complex):
        return lambda x, y, z: complex(x.real * y.real + z.real, x.imag * y.imag + z.imag)
    return lambda x, y, z: _multiply_add_packed(x, y, z)


@overload(pair_of, inline="always")
def _pair_of(n, like):
    if isinstance(like, types.Complex):
        return lambda n, like: complex(n, n)
    return lambda n, like: _twice_packed(np.float32(n))
