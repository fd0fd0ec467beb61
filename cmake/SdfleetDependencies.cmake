# SPDX-License-Identifier: Apache-2.0
# Every package of the distribution that we build against, as targets. LibTorch is found by FindLibTorch.cmake.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tl-expected REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(SQLiteCpp REQUIRED)
find_package(ICU 66 REQUIRED COMPONENTS uc)
pkg_check_modules(zmq REQUIRED IMPORTED_TARGET libzmq>=4.3.4)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(spng REQUIRED IMPORTED_TARGET spng)
# By pkg-config: the CMake package also insists on what the HTTP parts that we do not use need.
pkg_check_modules(prometheus REQUIRED IMPORTED_TARGET prometheus-cpp-core)

find_path(SDFLEET_MSGPACK_INCLUDE msgpack.hpp REQUIRED)
find_path(SDFLEET_CPPZMQ_INCLUDE zmq.hpp REQUIRED)

# msgpack-cxx is header-only; its use of Boost is optional and unwanted.
add_library(sdfleet_msgpack INTERFACE)
target_include_directories(sdfleet_msgpack SYSTEM INTERFACE ${SDFLEET_MSGPACK_INCLUDE})
target_compile_definitions(sdfleet_msgpack INTERFACE MSGPACK_NO_BOOST)

# Without coroutines, which are not used here: with GCC 12 and Boost 1.74 their header lacks an include.
add_library(sdfleet_asio INTERFACE)
target_link_libraries(sdfleet_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(sdfleet_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_CO_AWAIT BOOST_ERROR_CODE_HEADER_ONLY)
