# Turns a query of sql/daemon into a C string:
#   cmake -DINPUT=pull.sql -DOUTPUT=pull.h -DNAME=sql_pull -P embed.cmake
#
# The files are written for psql. Their comment shows the call, and the order of its `-v name=value`
# numbers the parameters: the first `:'name'` becomes $1.
file(READ "${INPUT}" text)
string(REGEX MATCHALL "-v [a-z_]+=" variables "${text}")
string(REGEX REPLACE "--[^\n]*\n" "" text "${text}")

set(number 0)
foreach(variable IN LISTS variables)
  math(EXPR number "${number} + 1")
  string(REGEX REPLACE "-v ([a-z_]+)=" "\\1" variable "${variable}")
  string(REPLACE ":'${variable}'" "\$${number}" text "${text}")
endforeach()
if(text MATCHES ":'")
  message(FATAL_ERROR "${INPUT}: a variable that the psql line does not show")
endif()

string(STRIP "${text}" text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
get_filename_component(file "${INPUT}" NAME)
file(WRITE "${OUTPUT}" "/* Made from sql/daemon/${file}. */\nstatic const char ${NAME}[] =\n    \"${text}\";\n")
