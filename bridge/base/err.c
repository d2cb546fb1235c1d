#include "base/err.h"

#include <stdio.h>
#include <string.h>

bool err_set(struct err *err, const char *format, ...)
{
    if (!err)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return false;
}

bool err_wrap(struct err *err, const char *format, ...)
{
    if (!err)
        return false;
    char head[sizeof err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(head, sizeof head, format, args);
    va_end(args);
    size_t used = strlen(head);
    snprintf(head + used, sizeof head - used, ": %s", err->text);
    memcpy(err->text, head, sizeof head);
    return false;
}
