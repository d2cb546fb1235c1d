/* permission.h - what the database says of a room: yes, no, or nothing. */
#ifndef VIGIE_CORE_PERMISSION_H
#define VIGIE_CORE_PERMISSION_H

/* Only PERMISSION_ALLOWED opens a room. Unknown: the question failed or was not answered in time,
 * so that to ask again later may help. */
enum permission { PERMISSION_UNKNOWN, PERMISSION_DENIED, PERMISSION_ALLOWED };

#endif
