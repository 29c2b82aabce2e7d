/* net.h: a neural network in C99, which is C++ too. Made by cygrad @version@.
 *
@described@
 *
 * The outputs have the same bits as those of cygrad, in @real@, on any processor and with any compiler that computes as
 * IEEE 754 requires (no -ffast-math). Nothing is allocated; no library is called but libm's fma, or none with
 * -DCYGRAD_SOFT_FMA. Both are slow: where the processor has a fused multiply-add, allow it (x86: -mfma, -march=native).
 *
 * Constants: @constants@ bytes. Arrays on the stack: @buffers@ bytes.
 * Inputs of another type: -DNET_INPUT=double. Self-test: -DNET_SELF_TEST defines a main. */
#ifndef NET_H
#define NET_H

