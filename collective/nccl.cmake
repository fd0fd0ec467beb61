# SPDX-License-Identifier: Apache-2.0
# NCCL for process groups: the plug-in, where there is a toolkit, and everywhere what loads and drives it.
if(SDFLEET_CUDA_FOUND)
  add_subdirectory(cuda)
endif()

add_library(sdfleet_nccl_client STATIC nccl_collectives.cpp nccl_communicator.cpp nccl_invitation.cpp nccl_plugin_loader.cpp)
target_link_libraries(sdfleet_nccl_client PUBLIC sdfleet_options sdfleet_proto tl::expected Threads::Threads PRIVATE ${CMAKE_DL_LIBS})

if(SDFLEET_WITH_TESTS)
  set(here ${CMAKE_SOURCE_DIR}/tests/unit/collective)
  # The plug-in's double, and one that speaks the interface's next version.
  add_library(fake_nccl_plugin MODULE ${here}/fake_nccl_plugin.cpp)
  add_library(fake_nccl_plugin_of_tomorrow MODULE ${here}/fake_nccl_plugin.cpp)
  target_compile_definitions(fake_nccl_plugin_of_tomorrow PRIVATE FAKE_NCCL_ABI=2)
  foreach(fake fake_nccl_plugin fake_nccl_plugin_of_tomorrow)
    target_link_libraries(${fake} PRIVATE sdfleet_options)
    set_target_properties(${fake} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  endforeach()
  add_executable(nccl_helper ${here}/nccl_helper.cpp)
  target_link_libraries(nccl_helper PRIVATE sdfleet_nccl_client ${CMAKE_DL_LIBS})
  set_target_properties(nccl_helper PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

  sdfleet_test(nccl_client_test
    SOURCES ${here}/nccl_abort_test.cpp ${here}/nccl_collectives_test.cpp ${here}/nccl_invitation_test.cpp ${here}/nccl_plugin_loader_test.cpp
    LIBS sdfleet_nccl_client ${CMAKE_DL_LIBS})
  target_compile_definitions(nccl_client_test PRIVATE
    SDFLEET_FAKE_NCCL="$<TARGET_FILE:fake_nccl_plugin>"
    SDFLEET_FAKE_NCCL_OF_TOMORROW="$<TARGET_FILE:fake_nccl_plugin_of_tomorrow>"
    SDFLEET_NCCL_HELPER="$<TARGET_FILE:nccl_helper>")
  # Process groups over the double: no GPU, no toolkit.
  sdfleet_test(nccl_group_test
    SOURCES ${here}/nccl_process_group_test.cpp ${here}/nccl_setup_test.cpp
    LIBS sdfleet_collective sdfleet_nccl_client ${CMAKE_DL_LIBS})
  target_compile_definitions(nccl_group_test PRIVATE SDFLEET_FAKE_NCCL="$<TARGET_FILE:fake_nccl_plugin>")
  add_dependencies(nccl_group_test fake_nccl_plugin)
  add_dependencies(nccl_client_test fake_nccl_plugin fake_nccl_plugin_of_tomorrow nccl_helper)
endif()
