# SPDX-License-Identifier: Apache-2.0
# The packages' large headers, compiled once for each target that includes them in many files.
# Sources still include what they use; with SDFLEET_WITH_PRECOMPILED_HEADERS=OFF (as clang-tidy wants it) everything builds too.
option(SDFLEET_WITH_PRECOMPILED_HEADERS "Precompile the packages' large headers" ON)
if(NOT SDFLEET_WITH_PRECOMPILED_HEADERS)
  return()
endif()

function(sdfleet_precompile target)
  if(TARGET ${target})
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

set(_std <algorithm> <chrono> <deque> <filesystem> <functional> <map> <memory> <optional> <set> <string> <variant> <vector>)
set(_wire ${_std} <msgpack.hpp> <tl/expected.hpp>)
set(_program ${_wire} <CLI/CLI.hpp> <spdlog/spdlog.h>)
set(_loop <boost/asio/io_context.hpp> <boost/asio/post.hpp> <boost/asio/steady_timer.hpp>)

foreach(_target proto client coordinator_core agent_core)
  sdfleet_precompile(sdfleet_${_target} ${_wire})
endforeach()
foreach(_target agent actor coordinator)
  sdfleet_precompile(sdfleet_${_target} ${_program} ${_loop})
endforeach()
sdfleet_precompile(sdfleet_sdctl ${_program} <nlohmann/json.hpp>)
sdfleet_precompile(sdfleet_pipeline ${_std} <nlohmann/json.hpp> <ATen/core/Tensor.h>)
foreach(_test proto coordinator_core agent_core actor sdctl)
  sdfleet_precompile(${_test}_test ${_wire} ${CMAKE_SOURCE_DIR}/tests/catch.hpp)
endforeach()

# Several files in one go, where reading the headers is most of what each of them takes all the same. The names in their unnamed
# namespaces must differ within such a group.
set_target_properties(sdfleet_sdctl PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
