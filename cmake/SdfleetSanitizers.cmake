# SPDX-License-Identifier: Apache-2.0
# SDFLEET_TEST_ENVIRONMENT: the environment that a test and the programs it starts need under SDFLEET_SANITIZE; else empty.
# The first finding ends the process, so that one in a child process is not lost behind a test that goes on.
set(SDFLEET_TEST_ENVIRONMENT "")
set(_supp ${CMAKE_SOURCE_DIR}/cmake/sanitizers)
if(SDFLEET_SANITIZE MATCHES "thread")
  list(APPEND SDFLEET_TEST_ENVIRONMENT "TSAN_OPTIONS=suppressions=${_supp}/tsan.supp:halt_on_error=1:second_deadlock_stack=1")
endif()
if(SDFLEET_SANITIZE MATCHES "address")
  list(APPEND SDFLEET_TEST_ENVIRONMENT "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1"
       "LSAN_OPTIONS=suppressions=${_supp}/lsan.supp:print_suppressions=0")
endif()
if(SDFLEET_SANITIZE MATCHES "undefined")
  list(APPEND SDFLEET_TEST_ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1")
endif()
