// Ground floor of every core header: the host/device marker and fixed-width integers.
// Compiles with g++, nvcc and NVRTC; NVRTC has no standard headers, so it gets its own typedefs.
#pragma once

#ifdef __CUDACC_RTC__
using uint16_t = unsigned short;
using int32_t = int;
using uint16_t = unsigned short;
using uint32_t = unsigned int;
using int64_t = long long;
using uint64_t = unsigned long long;
#else
#include <cstdint>
#endif

#ifdef __CUDACC__
#define GS_HD __host__ __device__ __forceinline__
#else
#define GS_HD inline
#endif
