// Marks functions that CUDA kernels call too; .cu files are compiled with a definition of it.
#pragma once

#if !defined(SALA_HOST_DEVICE)
#define SALA_HOST_DEVICE
#endif
