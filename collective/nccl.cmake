# SPDX-License-Identifier: Apache-2.0
# NCCL for process groups: the plug-in, where there is a toolkit, and everywhere what loads and drives it.
if(SDFLEET_CUDA_FOUND)
  add_subdirectory(cuda)
endif()

add_library(sdfleet_nccl_client STATIC nccl_collectives.cpp nccl_communicator.cpp nccl_invitation.cpp nccl_plugin_loader.cpp)
target_link_libraries(sdfleet_nccl_client PUBLIC sdfleet_options sdfleet_proto tl::expected Threads::Threads PRIVATE ${CMAKE_DL_LIBS})
