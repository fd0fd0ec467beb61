# SPDX-License-Identifier: Apache-2.0
# sdfleet_test(NAME SOURCES a_test.cpp ... LIBS sdfleet_x ... [LABELS slow]): one Catch2 program, one CTest entry.
# Catch2 v2 (Debian 12) and v3 (Debian 13, Ubuntu 24.04) both work: tests include tests/catch.hpp.
include(SdfleetSanitizers)
find_package(Catch2 REQUIRED)
find_path(SDFLEET_RAPIDCHECK_INCLUDE rapidcheck.h REQUIRED)
find_library(SDFLEET_RAPIDCHECK_LIBRARY rapidcheck REQUIRED)
add_library(sdfleet_rapidcheck INTERFACE)
target_include_directories(sdfleet_rapidcheck SYSTEM INTERFACE ${SDFLEET_RAPIDCHECK_INCLUDE})
target_link_libraries(sdfleet_rapidcheck INTERFACE ${SDFLEET_RAPIDCHECK_LIBRARY})

add_library(sdfleet_catch_main STATIC ${CMAKE_SOURCE_DIR}/tests/catch_main.cpp)
target_link_libraries(sdfleet_catch_main PRIVATE sdfleet_options PUBLIC Catch2::Catch2 sdfleet_rapidcheck)
if(Catch2_VERSION VERSION_GREATER_EQUAL 3)
  target_compile_definitions(sdfleet_catch_main PUBLIC SDFLEET_CATCH2_V3)
endif()

function(sdfleet_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE sdfleet_options sdfleet_catch_main ${arg_LIBS})
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${name} PRIVATE -O0) # of the tests' own code; what they test is optimised
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_definitions(${name} PRIVATE SDFLEET_SOURCE_DIR="${CMAKE_SOURCE_DIR}" SDFLEET_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}"
                       ENVIRONMENT "${SDFLEET_TEST_ENVIRONMENT}")
endfunction()
