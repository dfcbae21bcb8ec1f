// The one function of libunistring that the engine needs, without libunistring's own integer types in sight.
#ifndef CUNISTRING_H
#define CUNISTRING_H

#include <stddef.h>
#include <stdint.h>

/// Unicode's Normalization Form C of UTF-8 bytes: the count of bytes written, -1 when they do not fit or are no UTF-8.
int64_t cunistring_nfc(const uint8_t *bytes, size_t count, uint8_t *out, size_t capacity);

#endif
