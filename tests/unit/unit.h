/* unit.h - what every unit test includes: cmocka and the headers that it wants before itself. */
#ifndef VIGIE_TESTS_UNIT_H
#define VIGIE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define RUN(tests) cmocka_run_group_tests((tests), NULL, NULL)

#endif
