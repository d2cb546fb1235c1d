#include "proto/wsframe.h"

#include <string.h>

/* Section 5.2. */
size_t wsframe_header(unsigned char header[WSFRAME_HEADER_MAX], unsigned opcode, size_t len)
{
    header[0] = (unsigned char)(0x80 | opcode);
    if (len < 126) {
        header[1] = (unsigned char)len;
        return 2;
    }
    size_t size = len < 65536 ? 2 : 8;
    header[1] = size == 2 ? 126 : 127;
    for (size_t i = 0; i < size; i++)
        header[2 + i] = (unsigned char)(len >> (8 * (size - 1 - i)));
    return 2 + size;
}

struct frame *wsframe_new(unsigned opcode, const void *payload, size_t len)
{
    unsigned char header[WSFRAME_HEADER_MAX];
    size_t head = wsframe_header(header, opcode, len);
    struct frame *frame = frame_new(head + len);
    memcpy(frame->bytes, header, head);
    if (len)
        memcpy(frame->bytes + head, payload, len);
    return frame;
}

const void *wsframe_payload(const struct frame *frame, size_t *len)
{
    size_t head = frame->bytes[1] < 126 ? 2 : frame->bytes[1] == 126 ? 4 : 10;
    *len = frame->len - head;
    return frame->bytes + head;
}
