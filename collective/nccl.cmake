# SPDX-License-Identifier: Apache-2.0
# NCCL for process groups: the plug-in, where there is a toolkit, and everywhere what loads and drives it.
if(SDFLEET_CUDA_FOUND)
  add_subdirectory(cuda)
endif()
