# SPDX-License-Identifier: Apache-2.0
# SDFLEET_WITH_CUDA: AUTO (default) builds the GPU plug-in where the CUDA toolkit's runtime and nccl.h are found, and says so;
# ON insists; OFF leaves it out. Sets SDFLEET_CUDA_FOUND, SDFLEET_NCCL_INCLUDE and, where the library is, SDFLEET_NCCL_LIBRARY_DIR.
# Where the toolkit has nvcc the plug-in gets the pipeline's kernels, too: the language CUDA is enabled, SDFLEET_WITH_CUDA_KERNELS set.
set(SDFLEET_WITH_CUDA AUTO CACHE STRING "Build the GPU plug-in libsdfleet_cuda.so (needs the CUDA toolkit and nccl.h): AUTO, ON or OFF")
set_property(CACHE SDFLEET_WITH_CUDA PROPERTY STRINGS AUTO ON OFF)
set(SDFLEET_CUDA_FOUND OFF)
if(SDFLEET_WITH_CUDA STREQUAL "AUTO" OR SDFLEET_WITH_CUDA)
  find_package(CUDAToolkit 12 QUIET)
  # The toolkit has no nccl.h; NVIDIA's NCCL packages have, and the wheel that LibTorch runs with.
  set(_nccl_wheel ${CMAKE_SOURCE_DIR}/.deps/libtorch/nvidia/nccl)
  find_path(SDFLEET_NCCL_INCLUDE nccl.h HINTS ENV NCCL_HOME ${CUDAToolkit_INCLUDE_DIRS} ${_nccl_wheel} PATH_SUFFIXES include)
  # Only for the plug-in's rpath: NCCL is opened at run time.
  find_library(SDFLEET_NCCL_LIBRARY NAMES libnccl.so.2 nccl HINTS ENV NCCL_HOME ${CUDAToolkit_LIBRARY_DIR} ${_nccl_wheel}
    PATH_SUFFIXES lib lib64)
  if(SDFLEET_NCCL_LIBRARY)
    get_filename_component(SDFLEET_NCCL_LIBRARY_DIR ${SDFLEET_NCCL_LIBRARY} DIRECTORY)
  endif()
  if(TARGET CUDA::cudart AND SDFLEET_NCCL_INCLUDE)
    set(SDFLEET_CUDA_FOUND ON)
    message(STATUS "GPU plug-in: CUDA ${CUDAToolkit_VERSION}, ${SDFLEET_NCCL_INCLUDE}/nccl.h")
  elseif(SDFLEET_WITH_CUDA STREQUAL "AUTO")
    message(STATUS "GPU plug-in: left out, as there is no CUDA toolkit with nccl.h")
  else()
    message(FATAL_ERROR "SDFLEET_WITH_CUDA=ON needs the CUDA toolkit (12 or newer; CUDAToolkit_ROOT names it) and nccl.h (NCCL_HOME). "
                        "Without a GPU, use the release preset: it builds what there is.")
  endif()
endif()

# What the kernels are compiled for: A100, other Amperes, Ada, Hopper; newer ones get the intermediate code.
set(SDFLEET_CUDA_ARCHITECTURES 80-real 86-real 89-real 90a-real 90-virtual CACHE STRING "What libsdfleet_cuda.so holds code for, as CMake writes it")
set(SDFLEET_WITH_CUDA_KERNELS OFF)
if(SDFLEET_CUDA_FOUND AND CUDAToolkit_NVCC_EXECUTABLE)
  # The compiler of the toolkit whose runtime is linked, unless another was asked for.
  if(NOT CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${SDFLEET_CUDA_ARCHITECTURES})
  enable_language(CUDA)
  set(SDFLEET_WITH_CUDA_KERNELS ON)
elseif(SDFLEET_CUDA_FOUND)
  message(STATUS "GPU plug-in: without kernels, as there is no nvcc")
endif()
