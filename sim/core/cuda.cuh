// What every .cu file needs of the CUDA runtime.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace sala::cuda {

// Throws the Error that `status` means, with what was being done: kMemory, kUnsupported (driver, device), kIo (the device
// failed), kInternal (a defect of ours). Nothing for success.
void check(cudaError_t status, const char* doing);
// To be called behind every launch.
inline void check_launch(const char* kernel) { check(cudaGetLastError(), kernel); }

// Every thread of the program has a stream of its own: sessions in several threads run side by side.
inline cudaStream_t stream() { return cudaStreamPerThread; }

// Multiprocessors of the device.
int processors();

}  // namespace sala::cuda
