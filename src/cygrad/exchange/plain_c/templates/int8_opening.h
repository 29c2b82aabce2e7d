/* net.h: a neural network in 8-bit integers, in C99, which is C++ too. Made by cygrad @version@.
 *
@described@
 *
 * The integers are the same on any processor; outputs, in @real@, too, with any compiler that computes as IEEE 754
 * requires (no -ffast-math). Nothing is allocated; no library is called but libm's fma for the activation of the outputs,
 * or none with -DCYGRAD_SOFT_FMA. Inputs beyond the ranges of the samples that the scales come from are limited to them.
 *
 * Constants: @constants@ bytes. Arrays on the stack: @buffers@ bytes.
 * Inputs of another type: -DNET_INPUT=double. Self-test: -DNET_SELF_TEST defines a main.
 *
 * Ranges: @ranges@ */
#ifndef NET_H
#define NET_H

