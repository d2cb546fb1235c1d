# One interface target carries how every file of ours is compiled.
add_library(vigie_flags INTERFACE)
target_compile_options(
  vigie_flags
  INTERFACE -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes
            -Wmissing-prototypes -Wcast-qual -Wundef -Wvla -Wformat=2 -fstack-protector-strong
            -fno-common)
target_compile_definitions(vigie_flags INTERFACE _GNU_SOURCE)
if(VIGIE_WERROR)
  target_compile_options(vigie_flags INTERFACE -Werror)
endif()
if(VIGIE_SANITIZE)
  target_compile_options(vigie_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
                                               -fno-omit-frame-pointer)
  target_link_options(vigie_flags INTERFACE -fsanitize=address,undefined)
endif()
if(VIGIE_FUZZ)
  target_compile_options(vigie_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
# Assertions stay on in release: they guard isolation, and cost nothing that was measured.
foreach(config RELEASE RELWITHDEBINFO)
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${config} "${CMAKE_C_FLAGS_${config}}")
endforeach()
