# SPDX-License-Identifier: Apache-2.0
# Finds LibTorch inside a PyPI torch wheel, a conda package or an unpacked libtorch, without the wheel's own CMake config,
# which insists on a CUDA toolkit and its compiler even where only the CPU library is wanted.
#
# Looked at, in this order:  SDFLEET_LIBTORCH (CMake variable, then environment), <source>/.deps/libtorch/torch,
#                            the torch of the active python.
# Defines: LibTorch::cpu (torch_cpu, c10), LibTorch_DIR_FOUND, LibTorch_VERSION.
set(_libtorch_candidates)
if(SDFLEET_LIBTORCH)
  list(APPEND _libtorch_candidates ${SDFLEET_LIBTORCH})
elseif(DEFINED ENV{SDFLEET_LIBTORCH} AND NOT "$ENV{SDFLEET_LIBTORCH}" STREQUAL "")
  list(APPEND _libtorch_candidates $ENV{SDFLEET_LIBTORCH})
else()
  list(APPEND _libtorch_candidates ${CMAKE_SOURCE_DIR}/.deps/libtorch/torch)
  find_program(_libtorch_python NAMES python3 python)
  if(_libtorch_python)
    # find_spec does not import torch: it answers in milliseconds and works where torch's GPU libraries are missing.
    execute_process(
      COMMAND ${_libtorch_python} -c
              "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
      OUTPUT_VARIABLE _libtorch_of_python OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(_libtorch_of_python)
      list(APPEND _libtorch_candidates ${_libtorch_of_python})
    endif()
  endif()
endif()

foreach(_candidate IN LISTS _libtorch_candidates)
  if(EXISTS ${_candidate}/lib/libtorch_cpu.so AND EXISTS ${_candidate}/include/ATen/ATen.h)
    set(LibTorch_DIR_FOUND ${_candidate})
    break()
  endif()
endforeach()

if(LibTorch_DIR_FOUND)
  if(EXISTS ${LibTorch_DIR_FOUND}/include/torch/headeronly/version.h)
    file(STRINGS ${LibTorch_DIR_FOUND}/include/torch/headeronly/version.h _libtorch_lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH)")
  else()
    file(STRINGS ${LibTorch_DIR_FOUND}/include/torch/csrc/api/include/torch/version.h _libtorch_lines
         REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH)")
  endif()
  string(REGEX REPLACE "[^0-9;]+" "" _libtorch_numbers "${_libtorch_lines}")
  string(REPLACE ";" "." LibTorch_VERSION "${_libtorch_numbers}")
  # ATen has no stable interface: other versions may build or not, and the tests have not been run with them.
  if(NOT LibTorch_VERSION MATCHES "^2\\.11\\.")
    message(WARNING "LibTorch ${LibTorch_VERSION} in ${LibTorch_DIR_FOUND} is outside the tested range (2.11.x)")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_DIR_FOUND VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE
  "No LibTorch in: ${_libtorch_candidates}. Run scripts/setup, or set SDFLEET_LIBTORCH to a folder that holds lib/libtorch_cpu.so and include/ATen.")

if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
  set(_libtorch_lib ${LibTorch_DIR_FOUND}/lib)
  # The wheel finds cudart and cupti in the sibling nvidia/ folder; name those folders in our rpath too, so that a program starts
  # from any working directory and without LD_LIBRARY_PATH.
  get_filename_component(_libtorch_site ${LibTorch_DIR_FOUND} DIRECTORY)
  file(GLOB _libtorch_nvidia ${_libtorch_site}/nvidia/*/lib)
  add_library(LibTorch::c10 SHARED IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION ${_libtorch_lib}/libc10.so
    INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_DIR_FOUND}/include"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${LibTorch_DIR_FOUND}/include")
  add_library(LibTorch::cpu SHARED IMPORTED)
  set_target_properties(LibTorch::cpu PROPERTIES IMPORTED_LOCATION ${_libtorch_lib}/libtorch_cpu.so
    INTERFACE_LINK_LIBRARIES LibTorch::c10
    INTERFACE_LINK_OPTIONS "-Wl,--allow-shlib-undefined")
  set(LibTorch_RPATH ${_libtorch_lib} ${_libtorch_nvidia})
endif()
