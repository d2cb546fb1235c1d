# Debian's packages, found by pkg-config. A layer links only what it may name.
find_package(PkgConfig REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv>=1.44)
pkg_check_modules(WEBSOCKETS REQUIRED IMPORTED_TARGET libwebsockets>=4.1)
pkg_check_modules(PQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(JWT REQUIRED IMPORTED_TARGET libjwt>=1.10.2)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto>=3.0)
pkg_check_modules(SSL REQUIRED IMPORTED_TARGET libssl>=3.0)
find_path(UTHASH_INCLUDE_DIR uthash.h REQUIRED)

# libjwt 1.x has no version macro: the symbols tell which one it is.
include(CheckSymbolExists)
set(CMAKE_REQUIRED_LIBRARIES PkgConfig::JWT)
check_symbol_exists(jwt_checker_new jwt.h VIGIE_LIBJWT_3)
if(VIGIE_LIBJWT_3)
  message(FATAL_ERROR "libjwt 3 has another interface; Vigie is written for libjwt 1.10 to 1.18")
endif()
