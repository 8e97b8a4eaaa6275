/* A library in the place of NVIDIA's driver, with DEVICES devices (0 or 1): tests/cuda.sh. It remembers memory and computes nothing. */
#include <stdlib.h>
#include <string.h>

enum { NO_DEVICE = 100, INVALID_DEVICE = 101, NO_BINARY_FOR_GPU = 209, UNSUPPORTED_PTX_VERSION = 222 };
/* Every other function that cudarc names: it succeeds where there is a device. */
#include "others.h"

int cuInit(unsigned flags) { return DEVICES ? 0 : NO_DEVICE; }
int cuDeviceGet(int *device, int number) { return *device = number, number < DEVICES ? 0 : INVALID_DEVICE; }
int cuDeviceGetCount(int *count) { return *count = DEVICES, 0; }
/* No memory pools, so that memory comes from cuMemAlloc. */
int cuDeviceGetAttribute(int *value, int attribute, int device) { return *value = 0, 0; }
int cuMemAlloc_v2(void **memory, size_t bytes) { return *memory = calloc(bytes + 1, 1), *memory ? 0 : 2; }
int cuMemFree_v2(void *memory) { return free(memory), 0; }
int cuMemcpyHtoD_v2(void *to, const void *from, size_t bytes) { return memcpy(to, from, bytes), 0; }
int cuMemcpyDtoH_v2(void *to, const void *from, size_t bytes) { return memcpy(to, from, bytes), 0; }
int cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t bytes, void *stream) { return memcpy(to, from, bytes), 0; }
int cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t bytes, void *stream) { return memcpy(to, from, bytes), 0; }
/* What loading a kernel fails with, for a GPU or a driver that is older than the program wants. */
int cuModuleLoadData(void **module, const void *image) { return *module = 0, getenv("LOADING") ? atoi(getenv("LOADING")) : 0; }
int cuGetErrorString(int error, const char **text) {
    switch (error) {
    case NO_DEVICE: *text = "no CUDA-capable device is detected"; return 0;
    case INVALID_DEVICE: *text = "invalid device ordinal"; return 0;
    case NO_BINARY_FOR_GPU: *text = "no kernel image is available for execution on the device"; return 0;
    /* As of a driver that does not know the error. */
    default: return 1;
    }
}
