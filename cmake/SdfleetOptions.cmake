# SPDX-License-Identifier: Apache-2.0
# Flags that every target of ours carries, in one place. Warnings are errors in our code only: the packages' headers are SYSTEM.
add_library(sdfleet_options INTERFACE)
target_compile_features(sdfleet_options INTERFACE cxx_std_20)
target_include_directories(sdfleet_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(sdfleet_options INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
target_compile_definitions(sdfleet_options INTERFACE SDFLEET_VERSION="${PROJECT_VERSION}")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False positives of GCC 12 and 13 inside the standard library (PR105329, PR105562) break -Werror at -O2.
  target_compile_options(sdfleet_options INTERFACE -Wno-restrict -Wno-error=maybe-uninitialized -Wno-error=stringop-overflow
                                                   -Wno-error=array-bounds)
endif()
if(SDFLEET_SANITIZE)
  target_compile_options(sdfleet_options INTERFACE -fsanitize=${SDFLEET_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(sdfleet_options INTERFACE -fsanitize=${SDFLEET_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND SDFLEET_SANITIZE MATCHES "thread")
    # ThreadSanitizer does not model the fences in Asio's headers; Asio's mutexes, which it does model, order the same things.
    target_compile_options(sdfleet_options INTERFACE -Wno-tsan)
  endif()
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

if(SDFLEET_WITH_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(SDFLEET_CCACHE ccache)
  if(SDFLEET_CCACHE)
    # What ccache must be told about precompiled headers, or it keeps none of the objects that use them.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${SDFLEET_CCACHE})
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${SDFLEET_CCACHE})
    target_compile_options(sdfleet_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  endif()
endif()
